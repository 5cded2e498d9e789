#pragma once

#include <list>
#include <optional>
#include <utility>
#include <vector>

namespace keybroker::broker {

// RoundRobin is a queue with a line for each listener: Pop takes from one line after the other, so
// that however many wait in one line, the first of another waits one turn of each. LineOf(item), a
// function beside Item, says whose it is. A Push that throws leaves queue and item as they were.
// Not thread-safe.
template <typename Item>
class RoundRobin {
 public:
  bool empty() const { return lines_.empty(); }

  void Push(Item&& item) { Insert(std::move(item), false); }

  // PushFront puts an item before the others of its line; whose turn it is stays the same.
  void PushFront(Item&& item) { Insert(std::move(item), true); }

  std::optional<Item> Pop() {
    if (lines_.empty()) return std::nullopt;
    const auto first = lines_.begin();
    std::optional<Item> item(std::move(first->items.front()));
    first->items.pop_front();
    if (first->items.empty()) {
      lines_.erase(first);
    } else {
      lines_.splice(lines_.end(), lines_, first);
    }
    return item;
  }

  // TakeIf gives all items for which wanted(item) is true.
  template <typename Wanted>
  std::vector<Item> TakeIf(Wanted wanted) {
    std::vector<Item> taken;
    for (Line& line : lines_) {
      std::erase_if(line.items, [&](Item& item) {
        if (!wanted(std::as_const(item))) return false;
        taken.push_back(std::move(item));
        return true;
      });
    }
    std::erase_if(lines_, [](const Line& line) { return line.items.empty(); });
    return taken;
  }

 private:
  struct Line {
    const void* whose = nullptr;
    std::list<Item> items;  // never empty
  };

  // All that can fail is done before item is moved from: who has no memory still has the item.
  void Insert(Item&& item, bool in_front) {
    const void* whose = LineOf(std::as_const(item));
    for (Line& line : lines_) {
      if (line.whose != whose) continue;
      std::list<Item> one;
      one.push_back(std::move(item));
      line.items.splice(in_front ? line.items.begin() : line.items.end(), one);
      return;
    }
    std::list<Line> fresh(1);
    fresh.front().whose = whose;
    fresh.front().items.push_back(std::move(item));
    lines_.splice(lines_.end(), fresh);
  }

  std::list<Line> lines_;
};

}  // namespace keybroker::broker
