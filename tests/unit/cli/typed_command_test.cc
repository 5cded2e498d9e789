#include "cli/typed_command.h"

#include <gtest/gtest.h>

namespace keybroker::cli {
namespace {

const std::vector<std::string> kNouns = {"key", "token", "reload"};

TEST(WithConfig, NamesTheConfigurationInEveryCommand) {
  EXPECT_EQ(WithConfig("next: keybroker key list, then `keybroker reload`", "/srv/kb.toml", kNouns),
            "next: keybroker --config /srv/kb.toml key list, then `keybroker --config /srv/kb.toml "
            "reload`");
}

TEST(WithConfig, QuotesAPathForTheShell) {
  EXPECT_EQ(WithConfig("keybroker reload", "/a b/it's.toml", kNouns),
            "keybroker --config '/a b/it'\\''s.toml' reload");
}

TEST(WithConfig, LeavesWhatIsNoCommandAsItIs) {
  for (const char* text :
       {"", "keybroker", "keybroker ", "another keybroker command holds it", "keybroker keys",
        "keybroker: key list", "libkeybroker key list", "/etc/keybroker key", "keybroker 0.1.0"}) {
    EXPECT_EQ(WithConfig(text, "/srv/kb.toml", kNouns), text);
  }
}

}  // namespace
}  // namespace keybroker::cli
