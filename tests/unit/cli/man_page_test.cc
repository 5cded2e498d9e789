#include "cli/man_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keybroker::cli {
namespace {

using ::testing::HasSubstr;

TEST(ManPage, KeepsTroffFromReadingWhatHelpSays) {
  const std::string page = FormatManPage(".dot\n'quote\nback\\slash --option\n", {});
  EXPECT_THAT(page, HasSubstr("\\&.dot\n\\&'quote\nback\\eslash \\-\\-option\n"));
}

TEST(ManPage, HasASectionForEveryCommand) {
  const std::string page = FormatManPage("help", {{"keybroker key list", "shows"}});
  EXPECT_THAT(page, HasSubstr(".SS keybroker key list\n.nf\nshows\n.fi\n"));
}

}  // namespace
}  // namespace keybroker::cli
