#include "broker/round_robin.h"

#include <gmock/gmock.h>

#include <string>

namespace keybroker::broker {
namespace {

// Item is one letter, its line, and a number.
struct Item {
  char line;
  int number;
};

const void* LineOf(const Item& item) {
  static constexpr char kLines[256] = {};
  return &kLines[static_cast<unsigned char>(item.line)];
}

std::string Drain(RoundRobin<Item>& queue) {
  std::string order;
  while (const auto item = queue.Pop()) order += item->line + std::to_string(item->number) + " ";
  return order;
}

void Fill(RoundRobin<Item>& queue, char line, int count) {
  for (int i = 1; i <= count; ++i) queue.Push({line, i});
}

TEST(RoundRobin, TakesFromOneLineAfterTheOtherAndKeepsEachInOrder) {
  RoundRobin<Item> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.Pop());
  Fill(queue, 'a', 4);
  Fill(queue, 'b', 2);
  Fill(queue, 'c', 1);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(Drain(queue), "a1 b1 c1 a2 b2 a3 a4 ");
  EXPECT_TRUE(queue.empty());
}

TEST(RoundRobin, LetsALineThatComesLaterWaitOneTurnOfEachOther) {
  RoundRobin<Item> queue;
  Fill(queue, 'a', 100);
  EXPECT_EQ(queue.Pop()->line, 'a');
  Fill(queue, 'b', 1);
  EXPECT_EQ(queue.Pop()->line, 'a');
  EXPECT_EQ(queue.Pop()->line, 'b');
  EXPECT_EQ(queue.Pop()->line, 'a');
}

TEST(RoundRobin, PutsAnItemBeforeTheOthersOfItsLineOnly) {
  RoundRobin<Item> queue;
  Fill(queue, 'a', 1);
  Fill(queue, 'b', 2);
  queue.PushFront({'b', 9});
  queue.PushFront({'c', 9});
  EXPECT_EQ(Drain(queue), "a1 b9 c9 b1 b2 ");
}

TEST(RoundRobin, GivesWhatIsAskedForAndKeepsTheRest) {
  RoundRobin<Item> queue;
  Fill(queue, 'a', 3);
  Fill(queue, 'b', 1);
  const auto taken = queue.TakeIf([](const Item& item) { return item.number == 1; });
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].line, 'a');
  EXPECT_EQ(taken[1].line, 'b');
  EXPECT_EQ(Drain(queue), "a2 a3 ");
  EXPECT_TRUE(queue.TakeIf([](const Item&) { return true; }).empty());
}

}  // namespace
}  // namespace keybroker::broker
