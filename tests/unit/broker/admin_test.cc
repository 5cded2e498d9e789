#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "keybroker/broker/admin_client.h"
#include "keybroker/wire/admin.h"
#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using broker::AskBroker;
using test::EcKey;
using test::RsaKey;
using testing::ElementsAre;
using testing::HasSubstr;
using wire::AdminVerb;

class Admin : public test::BrokerTest {
 protected:
  void SetUp() override {
    token_ = &AddToken("soft");
    token_->SetKeys({EcKey("a.example.test", 1), RsaKey("a.example.test", 2)});
    token_->Start();
    WriteListener("https", Bind("a.example.test", "CKM_ECDSA"));
  }

  nlohmann::json Ask(AdminVerb verb, std::initializer_list<std::string_view> arguments = {}) {
    const auto text = AskBroker(LoadSettings(), verb, arguments);
    EXPECT_TRUE(text) << (text ? "" : text.error().detail);
    return text ? nlohmann::json::parse(*text) : nlohmann::json();
  }

  test::FakeTokenhost* token_ = nullptr;
};

TEST_F(Admin, ShowsTheWholeState) {
  Start();
  const auto status = Ask(AdminVerb::kStatus);
  EXPECT_EQ(status.at("pid"), ::getpid());
  ASSERT_EQ(status.at("listeners").size(), 1U);
  const auto& listener = status.at("listeners")[0];
  EXPECT_EQ(listener.at("name"), "https");
  EXPECT_THAT(listener.at("sockets"), ElementsAre(Socket("https").string()));
  EXPECT_EQ(listener.at("keys").size(), 1U);
  EXPECT_EQ(listener.at("bindings")[0].at("key"), "a.example.test");
  ASSERT_EQ(status.at("tokens").size(), 1U);
  EXPECT_EQ(status.at("tokens")[0].at("state"), "ready");
  EXPECT_EQ(status.at("tokens")[0].at("label"), "fake token");
  EXPECT_EQ(status.at("tokens")[0].at("keys"), 2);
  ASSERT_EQ(status.at("keys").size(), 2U);
  EXPECT_EQ(status.at("keys")[0].at("id"), "00000002");
  EXPECT_EQ(status.at("keys")[1].at("current"), true);
  EXPECT_EQ(status.at("audit").at("sequence"), 1);
  EXPECT_THAT(status.at("warnings"), ElementsAre());
}

TEST_F(Admin, SaysWhyForEachDecision) {
  Start();
  const auto decision = [&](std::string_view key, std::string_view mechanism) {
    const auto why = Ask(AdminVerb::kWhy, {"https", key, mechanism});
    EXPECT_FALSE(why.at("text").get<std::string>().empty());
    return why.at("decision").get<std::string>();
  };
  EXPECT_EQ(decision("a.example.test", "CKM_ECDSA"), "granted");
  EXPECT_EQ(decision("a.example.test", "ECDSA_SHA256"), "mechanism-not-bound");
  EXPECT_EQ(decision("a.example.test", "CKM_RSA_PKCS_PSS"), "mechanism-not-bound");
  EXPECT_EQ(decision("a.example.test", "CKM_RSA_X_509"), "mechanism-unknown");
  EXPECT_EQ(decision("nowhere.example.test", "CKM_ECDSA"), "key-not-bound");
}

TEST_F(Admin, CallsAMechanismOfTheOtherTypeThat) {
  WriteListener("https",
                "\n[[binding]]\nkey = \"a.example.test\"\ntype = \"ec\"\nmechanisms = "
                "[\"tls-server\"]\n");
  Start();
  const auto why = Ask(AdminVerb::kWhy, {"https", "a.example.test", "CKM_RSA_PKCS_PSS"});
  EXPECT_EQ(why.at("decision"), "mechanism-wrong-key-type");
  EXPECT_EQ(why.at("key_on_token"), true);
}

// A token that nobody could read since its tokenhost started.
class UnreadToken : public Admin {
 protected:
  void StartAs(wire::TokenState state) {
    token_->SetKeys({});
    token_->SetState(state);
    WriteCurrent("[\"a.example.test\"]\nec = \"00000001\"\n");
    Start();
    ASSERT_TRUE(Eventually([&] {
      return Status().at("tokens")[0].at("state") == std::string(wire::TokenStateName(state));
    }));
  }
};

TEST_F(UnreadToken, IsNotTakenForATokenWithoutTheKey) {
  StartAs(wire::TokenState::kLocked);
  const auto why = Ask(AdminVerb::kWhy, {"https", "a.example.test", "CKM_ECDSA"});
  EXPECT_EQ(why.at("decision"), "token-failed");
  EXPECT_EQ(why.at("granted"), false);
  EXPECT_THAT(why.at("text").get<std::string>(),
              testing::AllOf(HasSubstr("the token soft is locked: its keys are unknown until "
                                       "`keybroker token unlock soft`"),
                             testing::Not(HasSubstr("generate"))));
  const auto status = Ask(AdminVerb::kStatus);
  EXPECT_THAT(status.at("warnings"), ElementsAre());
  EXPECT_THAT(status.at("tokens")[0].at("keys_unknown").get<std::string>(),
              HasSubstr("its keys are unknown"));
}

TEST_F(UnreadToken, LeavesAMissingBindingToBeFound) {
  StartAs(wire::TokenState::kAbsent);
  const auto why = Ask(AdminVerb::kWhy, {"https", "b.example.test", "CKM_ECDSA"});
  EXPECT_EQ(why.at("decision"), "key-not-bound");
  EXPECT_THAT(why.at("text").get<std::string>(),
              testing::AllOf(HasSubstr("keybroker listener bind https b.example.test"),
                             HasSubstr("the token soft is absent: its keys are unknown until"),
                             testing::Not(HasSubstr("generate"))));
}

TEST_F(UnreadToken, IsSaidOfATokenhostThatDoesNotAnswerToo) {
  token_->Kill();
  Start();
  const auto why = Ask(AdminVerb::kWhy, {"https", "a.example.test", "CKM_ECDSA"});
  EXPECT_EQ(why.at("decision"), "token-failed");
  EXPECT_THAT(why.at("text").get<std::string>(),
              HasSubstr("the tokenhost of the token soft does not answer: its keys are unknown"));
}

TEST_F(Admin, SaysOfAKeyThatMaySignThatItsTokenIsLockedNow) {
  Start();
  token_->SetState(wire::TokenState::kLocked);
  const auto text = [&] {
    return Ask(AdminVerb::kWhy, {"https", "a.example.test", "CKM_ECDSA"})
        .at("text")
        .get<std::string>();
  };
  EXPECT_TRUE(Eventually([&] { return text().find("token unlock soft") != std::string::npos; }))
      << text();
}

TEST_F(Admin, NamesTheListenersThereAreWhenAskedAboutAnother) {
  Start();
  const auto why = AskBroker(LoadSettings(), AdminVerb::kWhy, {"httpd", "a.example.test", "ECDSA"});
  ASSERT_FALSE(why);
  EXPECT_EQ(why.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(why.error().detail, "there is no listener \"httpd\"; there is: https");
  EXPECT_EQ(AskBroker(LoadSettings(), AdminVerb::kWhy, {"https"}).error().code,
            ErrorCode::kMalformed);
}

TEST_F(Admin, ReloadsAndGivesTheReasonWhenItCannot) {
  Start();
  WriteListener("imap", Bind("a.example.test"));
  EXPECT_EQ(Ask(AdminVerb::kReload).at("listeners"), 2);
  test::WriteAll(dir_ / "listeners.d/pop3.toml", "[listener]\nname = pop3\n");
  const auto broken = AskBroker(LoadSettings(), AdminVerb::kReload);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(broken.error().detail,
              testing::AllOf(HasSubstr("listeners.d/pop3.toml:2"), HasSubstr("stays in force")));
}

TEST_F(Admin, AnswersWhileAllWorkersWaitForAToken) {
  Set("broker", "workers = 1");
  Start();
  token_->Hold();
  auto stuck = ClientOf("https");
  ASSERT_TRUE(stuck.SendSign(EcKey("", 1).ref(), CKM_ECDSA, test::Digest32()));
  ASSERT_TRUE(token_->AwaitSigns(1));
  EXPECT_EQ(Ask(AdminVerb::kStatus).at("tokens")[0].at("in_flight"), 1);
  token_->Release();
  EXPECT_EQ(stuck.ReadOutcome().signature.size(), 64U);
}

TEST_F(Admin, GivesLongAnswersInSeveralMessages) {
  std::string bindings;
  for (int i = 0; i < 4000; ++i) bindings += Bind("k" + std::to_string(i) + ".example.test");
  WriteListener("https", bindings);
  Start();
  const auto status = Ask(AdminVerb::kStatus);
  EXPECT_EQ(status.at("listeners")[0].at("bindings").size(), 4000U);
  EXPECT_GT(status.dump().size(), size_t{wire::kMaxText});
}

TEST_F(Admin, SaysThatNoBrokerRuns) {
  const auto nobody = AskBroker(LoadSettings(), AdminVerb::kStatus);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(nobody.error().detail, HasSubstr("start it"));
}

TEST_F(Admin, EndsAConnectionWithABadMessageAndAnswersTheNext) {
  Start();
  std::vector<uint8_t> good(64);
  wire::FrameWriter frame(good, {wire::MessageType::kAdminRequest, wire::kVersion, 2});
  wire::Encode(wire::AdminRequest{AdminVerb::kStatus, 0, {}}, frame.body());
  good.resize(frame.Finish());
  std::vector<std::vector<uint8_t>> messages;
  for (size_t size = 0; size < good.size(); ++size) {
    messages.emplace_back(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
  }
  messages.push_back(good);
  messages.back().push_back(0);
  messages.emplace_back(wire::kMaxMessage + 1, uint8_t{0});
  std::mt19937 random(20261125);
  for (int i = 0; i < 50; ++i) {
    messages.emplace_back(random() % 200);
    for (auto& byte : messages.back()) byte = static_cast<uint8_t>(random());
  }
  for (const auto& message : messages) {
    test::BrokerClient hostile;
    ASSERT_TRUE(hostile.Connect(dir_ / "run/admin.socket"));
    ASSERT_TRUE(hostile.Hello());
    ASSERT_TRUE(hostile.SendRaw(message));
    EXPECT_TRUE(hostile.Ended()) << message.size();
  }
  EXPECT_EQ(Ask(AdminVerb::kStatus).at("pid"), ::getpid());
}

TEST_F(Admin, TellsAProgramOfAnotherVersionSo) {
  Start();
  test::BrokerClient newer;
  ASSERT_TRUE(newer.Connect(dir_ / "run/admin.socket"));
  std::vector<uint8_t> message(64);
  wire::FrameWriter frame(message, {wire::MessageType::kHello, 0, 3});
  wire::Encode(wire::Hello{wire::kVersion + 1, wire::kVersion + 9}, frame.body());
  ASSERT_TRUE(newer.SendRaw({message.data(), frame.Finish()}));
  const auto reply = newer.Read();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.type, wire::MessageType::kFailure);
  EXPECT_EQ(reply->header.request_id, 3U);
  EXPECT_EQ(wire::DecodeFailure(reply->body)->code, ErrorCode::kMalformed);
  EXPECT_TRUE(newer.Ended());
}

TEST_F(Admin, RefusesOtherUsersOnEveryMessage) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: changing the uid needs root";
  Start();
  // Even where the file's mode would let them in.
  ::chmod(dir_.path().c_str(), 0711);
  ASSERT_EQ(::chmod((dir_ / "run/admin.socket").c_str(), 0666), 0);
  const auto settings = LoadSettings();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::setresuid(12345, 12345, 12345) != 0) ::_exit(2);
    const auto status = AskBroker(settings, AdminVerb::kStatus);
    ::_exit(!status && status.error().code == ErrorCode::kDenied ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace keybroker
