// What a hurried hand types wrong: status 2, and the word that was meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Usage : public Host {};

TEST_F(Usage, SuggestsTheWordThatWasMeant) {
  EXPECT_THAT(Misused({"listner", "list"}), HasSubstr("did you mean listener?"));
  EXPECT_THAT(Misused({"key", "lsit"}), HasSubstr("did you mean list?"));
  EXPECT_THAT(Misused({"key", "generate", kName, "--tpye", "rsa"}),
              HasSubstr("did you mean --type?"));
  EXPECT_THAT(Misused({"backup", "seal", kName}), HasSubstr("did you mean `keybroker key seal`?"));
  EXPECT_THAT(Misused({"backup", "drill", "f"}), HasSubstr("did you mean `keybroker drill`?"));
  EXPECT_THAT(Misused({"restore", "f"}), HasSubstr("did you mean `keybroker backup restore`?"));
  EXPECT_THAT(Misused({"frobnicate"}), Not(HasSubstr("did you mean")));
}

TEST_F(Usage, IsStatusTwoForAWordThatIsNoneOfThoseThereAre) {
  Text({"listener", "add", "https", "--user", "root"});
  EXPECT_THAT(Misused({"listener", "config", "https", "--for", "ngnix"}),
              AllOf(HasSubstr("did you mean nginx?"), HasSubstr("nginx|apache")));
  EXPECT_THAT(Misused({"key", "generate", kName, "--type", "dsa"}), HasSubstr("rsa or ec"));
  EXPECT_THAT(Misused({"listener", "check", "https", "--connect", "h:1", "--tls", "1.1"}),
              HasSubstr("1.2 or 1.3"));
  EXPECT_THAT(Misused({"reference", "write", kName, "--format", "pem"}), HasSubstr("engine"));
  const auto result = Run({"--json", "key", "generate", kName, "--type", "dsa"});
  EXPECT_EQ(Json::parse(result.out, nullptr, false)["error"]["code"], "usage");
}

TEST_F(Usage, ShowsAnExampleForANounToo) {
  EXPECT_THAT(Text({"token", "--help"}), HasSubstr("Example:\n  keybroker token add"));
}

TEST_F(Usage, SpeaksOfNoLineOfAFileThatIsNotThere) {
  EXPECT_THAT(Fails({"listener", "add", "https", "--user", "root", "--mode", "0066"}),
              AllOf(HasSubstr("the listener \"https\" cannot be so"), Not(HasSubstr(".toml:")),
                    HasSubstr("Nothing was changed")));
}

}  // namespace
}  // namespace keybroker::cli::test
