#include "cli/nearest.h"

#include <gtest/gtest.h>

namespace keybroker::cli {
namespace {

const std::vector<std::string> kVerbs = {"add", "bind", "unbind", "list", "show", "check"};

TEST(Nearest, IsTheWordThatASlipMadeOfIt) {
  EXPECT_EQ(Nearest("lsit", kVerbs), "list");
  EXPECT_EQ(Nearest("chek", kVerbs), "check");
  EXPECT_EQ(Nearest("showw", kVerbs), "show");
  EXPECT_EQ(Nearest("unbint", kVerbs), "unbind");
}

TEST(Nearest, IsNoneWhereNothingIsNear) {
  EXPECT_EQ(Nearest("frobnicate", kVerbs), "");
  EXPECT_EQ(Nearest("", kVerbs), "");
  EXPECT_EQ(Nearest(std::string(10'000, 'x'), kVerbs), "");
  EXPECT_EQ(DidYouMean("ad", kVerbs), ": did you mean add?");
  EXPECT_EQ(DidYouMean("remove", kVerbs), "");
}

}  // namespace
}  // namespace keybroker::cli
