#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/listener_config/files.h"
#include "cli/listener_config/template.h"

namespace keybroker::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Template, RepeatsALineForEachValueAndDropsItWithoutOne) {
  const Values values{{"FILE", {"a", "b"}}, {"NONE", {}}, {"ONE", {"x"}}};
  EXPECT_EQ(FillTemplate("head\nuse @FILE@ by @ONE@;\nnot @NONE@\ntail\n", values),
            "head\nuse a by x;\nuse b by x;\ntail\n");
}

TEST(Template, JoinsValuesInOneLine) {
  const Values values{{"FILE", {"a", "b"}}, {"NONE", {}}};
  EXPECT_EQ(FillTemplate("crt @FILE: crt @;\nlist @NONE:,@\n", values), "crt a crt b;\n");
}

TEST(Template, LeavesWhatItDoesNotKnow) {
  EXPECT_EQ(FillTemplate("a@b.test @OTHER@ @FILE", {{"FILE", {"a"}}}), "a@b.test @OTHER@ @FILE\n");
}

ConfigFacts Facts(const Recipe& recipe) {
  ConfigFacts facts;
  facts.recipe = &recipe;
  facts.listener = "smtp";
  facts.socket = "/run/keybroker/smtp/socket";
  facts.directory = "/etc/keybroker/listeners/smtp";
  facts.libraries = {"/usr/lib/libkeybroker-pkcs11.so", "/usr/lib/engines-3/keybroker.so"};
  facts.keys = {{{"mail.example.test", cryptoki::KeyType::kRsa, "ab01"}, {}},
                {{"mail.example.test", cryptoki::KeyType::kEc, "ab02"}, {}}};
  return facts;
}

std::map<std::string, std::string> Texts(const ConfigFacts& facts) {
  const auto files = MakeConfigFiles(facts);
  EXPECT_TRUE(files.has_value()) << files.error().detail;
  std::map<std::string, std::string> texts;
  if (files) {
    for (const auto& file : *files) texts[file.name] = file.text;
  }
  return texts;
}

class EveryRecipe : public testing::TestWithParam<const Recipe*> {};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryRecipe, testing::ValuesIn(AllRecipes()), [](const auto& one) {
  std::string name(one.param->kind);
  std::erase(name, '-');
  return name;
});

TEST_P(EveryRecipe, FillsEveryNameAndSaysWhoWroteIt) {
  const ConfigFacts facts = Facts(*GetParam());
  const auto files = MakeConfigFiles(facts);
  ASSERT_TRUE(files.has_value()) << files.error().detail;
  for (const auto& file : *files) {
    EXPECT_EQ(file.text.find('@' + std::string("D")), std::string::npos) << file.text;
    EXPECT_THAT(file.where, AllOf(Not(HasSubstr("@DIR")), Not(HasSubstr("@UNIT"))));
    if (file.name.ends_with(".pem")) continue;
    EXPECT_THAT(file.text, StartsWith(kMadeHere));
    for (const char* name : {"@FIRST", "@SECOND", "@REFERENCE", "@URI", "@MODULE", "@SOCKET"}) {
      EXPECT_THAT(file.text, Not(HasSubstr(name)));
    }
  }
  EXPECT_EQ(files->back().name, std::string(GetParam()->kind) + ".conf");
}

TEST_P(EveryRecipe, NamesEveryReferenceItWrites) {
  const auto texts = Texts(Facts(*GetParam()));
  const std::string& snippet = texts.at(std::string(GetParam()->kind) + ".conf");
  for (const char* name : {"mail.example.test.rsa.pem", "mail.example.test.ec.pem"}) {
    EXPECT_EQ(texts.count(name), 1U);
    EXPECT_THAT(snippet, HasSubstr(std::string("/etc/keybroker/listeners/smtp/") + name));
  }
}

TEST_P(EveryRecipe, DoesWithOneKey) {
  ConfigFacts facts = Facts(*GetParam());
  facts.keys.erase(facts.keys.begin());
  const auto texts = Texts(facts);
  EXPECT_EQ(texts.count("mail.example.test.rsa.pem"), 0U);
  for (const auto& [name, text] : texts) EXPECT_THAT(text, Not(HasSubstr(".rsa.pem")));
}

TEST(ConfigFiles, PointAServerOfOpenSslToTheEngineOrTheProvider) {
  ConfigFacts facts = Facts(kPostfix);
  EXPECT_THAT(Texts(facts).at("openssl.cnf"),
              AllOf(HasSubstr("dynamic_path = /usr/lib/engines-3/keybroker.so\n"),
                    HasSubstr("MODULE_PATH = /usr/lib/libkeybroker-pkcs11.so\n")));
  facts.format = ReferenceFormat::kProvider;
  const auto texts = Texts(facts);
  EXPECT_THAT(texts.at("openssl.cnf"),
              HasSubstr("pkcs11-module-init-args = socket=/run/keybroker/smtp/socket\n"));
  EXPECT_THAT(texts.at("mail.example.test.ec.pem"),
              StartsWith("-----BEGIN PKCS#11 PROVIDER URI-----\n"));
}

TEST(ConfigFiles, GiveAServerOfGnuTlsTheModuleOfItsSocket) {
  ConfigFacts facts = Facts(kExim);
  const auto texts = Texts(facts);
  EXPECT_EQ(texts.count("openssl.cnf"), 0U);
  EXPECT_THAT(texts.at("keybroker.module"),
              HasSubstr("x-init-reserved: socket=/run/keybroker/smtp/socket\n"));
  EXPECT_THAT(texts.at("exim.conf"),
              HasSubstr("tls_privatekey = <| pkcs11:token=keybroker;id=%AB%01;type=private | "
                        "pkcs11:token=keybroker;id=%AB%02;type=private\n"));
  facts.format = ReferenceFormat::kProvider;
  const auto refused = MakeConfigFiles(facts);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().detail, HasSubstr("leave --provider out"));
}

// A path goes into eight configuration languages; no character of it may mean something in any.
TEST(ConfigFiles, RefusePathsThatAConfigurationWouldMisread) {
  for (const char* bad : {"/etc/a b", "/etc/a;b", "/etc/$HOME", "/etc/a\nb", "/etc/{a}", "etc"}) {
    ConfigFacts facts = Facts(kNginx);
    facts.directory = bad;
    EXPECT_FALSE(MakeConfigFiles(facts).has_value()) << bad;
    facts = Facts(kNginx);
    facts.socket = bad;
    EXPECT_FALSE(MakeConfigFiles(facts).has_value()) << bad;
  }
}

TEST(Recipes, AreFoundByKind) {
  const auto found = FindRecipe("dovecot");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, &kDovecot);
  const auto unknown = FindRecipe("sendmail");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().detail, HasSubstr("nginx|apache|haproxy|stunnel|postfix|dovecot"));
}

}  // namespace
}  // namespace keybroker::cli
