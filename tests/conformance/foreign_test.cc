// Foreign PKCS#11 hosts on the release module and a running stack. Each is a program that knows
// nothing of us; what it lists and what it signs is compared exactly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "support/stack.h"

namespace keybroker::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Lines that match, one capture of each, in order.
std::vector<std::string> Captures(const std::string& text, const std::string& pattern) {
  std::vector<std::string> found;
  std::regex line(pattern);
  std::istringstream lines(text);
  std::smatch match;
  for (std::string one; std::getline(lines, one);) {
    if (std::regex_search(one, match, line)) found.push_back(match[1]);
  }
  return found;
}

class ForeignHost : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    StackOptions options;
    options.certificates = true;
    options.extra_keys = true;
    auto made = Stack::Make(options);
    ASSERT_TRUE(made) << made.error().detail;
    stack_ = made->release();
  }
  static void TearDownTestSuite() {
    delete stack_;
    stack_ = nullptr;
  }
  void SetUp() override { ASSERT_NE(stack_, nullptr); }

  static std::string KeyId(const std::string& type) {
    auto id = stack_->KeyId(type);
    EXPECT_TRUE(id) << id.error().detail;
    return id ? *id : "";
  }

  static std::string Uri(const std::string& type) {
    const std::string id = KeyId(type);
    std::string uri = "pkcs11:token=keybroker;id=";
    for (size_t i = 0; i < id.size(); i += 2) uri += "%" + id.substr(i, 2);
    return uri + ";type=private";
  }

  static Environment Socket() { return {{"KEYBROKER_SOCKET", stack_->socket("https")}}; }

  static CommandResult Pkcs11Tool(Arguments arguments) {
    arguments.insert(arguments.begin(), {"pkcs11-tool", "--module", Stack::ModulePath()});
    return RunCommand(arguments, Socket());
  }

  static CommandResult P11tool(Arguments arguments) {
    arguments.insert(arguments.begin(), {"p11tool", "--provider", Stack::ModulePath()});
    return RunCommand(arguments, Socket());
  }

  // An OpenSSL configuration for libp11's own engine with our module; it names the socket too, and
  // the environment does not.
  static Environment EngineEnvironment() {
    std::filesystem::path file = stack_->directory() / "libp11.cnf";
    std::ofstream(file) << "openssl_conf = init\n[init]\nengines = engines\n[engines]\n"
                        << "pkcs11 = pkcs11\n[pkcs11]\nengine_id = pkcs11\n"
                        << "MODULE_PATH = " << Stack::ModulePath().string()
                        << "\nINIT_ARGS = socket=" << Socket().at("KEYBROKER_SOCKET")
                        << "\ninit = 1\n";
    return {{"OPENSSL_CONF", file}};
  }

  static Stack* stack_;
};

Stack* ForeignHost::stack_ = nullptr;

std::string Everything(const CommandResult& result) {
  return "status " + std::to_string(result.status) + "\n" + result.out + result.err;
}

TEST_F(ForeignHost, Pkcs11ToolListsExactlyTheListenersObjects) {
  CommandResult result = Pkcs11Tool({"--list-objects"});
  ASSERT_EQ(result.status, 0) << Everything(result);
  EXPECT_THAT(Captures(result.out, "^(\\S+ Key Object|Certificate Object)"),
              testing::UnorderedElementsAre("Private Key Object", "Private Key Object",
                                            "Public Key Object", "Public Key Object",
                                            "Certificate Object", "Certificate Object"))
      << result.out;
  EXPECT_THAT(Captures(result.out, "label: +(\\S+)"), testing::Each(std::string(kKeyName)));
}

TEST_F(ForeignHost, Pkcs11ToolTestSuiteFindsNoError) {
  CommandResult result = Pkcs11Tool({"--test", "--token-label", "keybroker"});
  EXPECT_EQ(result.status, 0) << Everything(result);
  EXPECT_THAT(result.out, HasSubstr("No errors")) << Everything(result);
}

TEST_F(ForeignHost, Pkcs11ToolForkTestPasses) {
  CommandResult result = Pkcs11Tool({"--test-fork"});
  EXPECT_EQ(result.status, 0) << Everything(result);
  EXPECT_THAT(result.out + result.err, Not(HasSubstr("rror"))) << Everything(result);
}

TEST_F(ForeignHost, Pkcs11ToolThreadTestsPass) {
  // Initialise with and without locking, get info, list slots and tokens: three threads at once.
  CommandResult result = Pkcs11Tool(
      {"--test-threads", "IN", "--test-threads", "ILGISLT0", "--test-threads", "ILGISLT0", "-L"});
  EXPECT_EQ(result.status, 0) << Everything(result);
  EXPECT_THAT(result.out, HasSubstr("keybroker")) << Everything(result);
}

TEST_F(ForeignHost, Pkcs11ToolSignaturesVerifyWithOpenssl) {
  std::filesystem::path data = stack_->directory() / "data";
  std::filesystem::path signature = stack_->directory() / "signature";
  std::ofstream(data) << "what a listener would sign";
  struct Case {
    const char* type;
    Arguments sign;
    Arguments verify;
  };
  for (const Case& one :
       {Case{"rsa", {"-m", "SHA256-RSA-PKCS"}, {}},
        Case{"rsa",
             {"-m", "SHA256-RSA-PKCS-PSS"},
             {"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"}},
        Case{"ec", {"-m", "ECDSA-SHA256", "--signature-format", "openssl"}, {}}}) {
    Arguments sign = {"--sign", "--id", KeyId(one.type), "-i", data, "-o", signature};
    sign.insert(sign.end(), one.sign.begin(), one.sign.end());
    CommandResult signed_result = Pkcs11Tool(sign);
    ASSERT_EQ(signed_result.status, 0) << one.sign[1] << ": " << Everything(signed_result);
    std::filesystem::path key = stack_->directory() / "public.pem";
    CommandResult extracted = RunCommand({"openssl", "x509", "-in", stack_->certificate(one.type),
                                          "-pubkey", "-noout", "-out", key});
    ASSERT_EQ(extracted.status, 0) << Everything(extracted);
    Arguments verify = {"openssl", "dgst", "-sha256", "-verify", key, "-signature", signature};
    verify.insert(verify.end(), one.verify.begin(), one.verify.end());
    verify.push_back(data);
    CommandResult verified = RunCommand(verify);
    EXPECT_EQ(verified.status, 0) << one.sign[1] << ": " << Everything(verified);
  }
}

TEST_F(ForeignHost, Libp11sEngineSignsForOpenssl) {
  std::filesystem::path data = stack_->directory() / "digest";
  std::filesystem::path signature = stack_->directory() / "signature";
  std::ofstream(data) << std::string(32, 'd');
  for (const char* type : {"rsa", "ec"}) {
    CommandResult signed_result = RunCommand(
        {"openssl", "pkeyutl", "-engine", "pkcs11", "-keyform", "engine", "-inkey", Uri(type),
         "-sign", "-pkeyopt", "digest:sha256", "-in", data, "-out", signature},
        EngineEnvironment());
    ASSERT_EQ(signed_result.status, 0) << type << ": " << Everything(signed_result);
    CommandResult verified =
        RunCommand({"openssl", "pkeyutl", "-verify", "-certin", "-inkey", stack_->certificate(type),
                    "-pkeyopt", "digest:sha256", "-in", data, "-sigfile", signature});
    EXPECT_EQ(verified.status, 0) << type << ": " << Everything(verified);
  }
}

// libp11 tries a refused PSS signature once more with raw RSA, by which one could decrypt.
TEST_F(ForeignHost, Libp11sRetryWithRawRsaIsRefusedAndRecordedOnceAtMost) {
  std::filesystem::path data = stack_->directory() / "digest";
  std::ofstream(data) << std::string(32, 'd');
  const std::string before = stack_->Cli({"audit", "show"}).out;
  constexpr size_t kTimes = 5;
  for (size_t i = 0; i < kTimes; ++i) {
    CommandResult result =
        RunCommand({"openssl", "pkeyutl", "-engine", "pkcs11", "-keyform", "engine", "-inkey",
                    Uri("rsa"), "-sign", "-pkeyopt", "digest:sha256", "-pkeyopt",
                    "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:20", "-in", data},
                   EngineEnvironment());
    ASSERT_NE(result.status, 0) << Everything(result);
  }
  const std::string all = stack_->Cli({"audit", "show"}).out;
  const std::string said = all.substr(std::min(before.size(), all.size()));
  EXPECT_GE(Captures(said, "(CKM_RSA_PKCS_PSS)").size(), 1U) << said;
  EXPECT_LE(Captures(said, "(CKM_RSA_X_509)").size(), kTimes) << said;
  EXPECT_THAT(Captures(said, "granted.*(CKM_RSA_X_509)"), ElementsAre());
}

TEST_F(ForeignHost, GnutlsListsExactlyTheListenersKeysAndSigns) {
  CommandResult listed = P11tool({"--list-privkeys", "--only-urls", "pkcs11:token=keybroker"});
  ASSERT_EQ(listed.status, 0) << Everything(listed);
  std::vector<std::string> urls = Captures(listed.out, "^(pkcs11:.*)$");
  ASSERT_EQ(urls.size(), 2U) << Everything(listed);
  for (const std::string& url : urls) {
    CommandResult tested = P11tool({"--test-sign", url});
    EXPECT_EQ(tested.status, 0) << Everything(tested);
    EXPECT_THAT(tested.out + tested.err, HasSubstr("ok")) << Everything(tested);
  }
  CommandResult certificates = P11tool({"--list-certs", "--only-urls", "pkcs11:token=keybroker"});
  EXPECT_EQ(Captures(certificates.out, "^(pkcs11:.*)$").size(), 2U) << Everything(certificates);
}

TEST_F(ForeignHost, NssModutilAddsTheModuleAndSeesItsToken) {
  std::filesystem::path database = stack_->directory() / "nss";
  std::filesystem::create_directory(database);
  std::string dir = "sql:" + database.string();
  CommandResult made = RunCommand({"certutil", "-N", "-d", dir, "--empty-password"});
  ASSERT_EQ(made.status, 0) << Everything(made);
  // The listener's socket is in the module's parameters; the environment says nothing.
  CommandResult added =
      RunCommand({"modutil", "-dbdir", dir, "-add", "keybroker", "-libfile", Stack::ModulePath(),
                  "-string", "socket=" + stack_->socket("https").string(), "-force"});
  ASSERT_EQ(added.status, 0) << Everything(added);
  CommandResult listed = RunCommand({"modutil", "-dbdir", dir, "-list", "keybroker", "-force"});
  EXPECT_EQ(listed.status, 0) << Everything(listed);
  EXPECT_THAT(Captures(listed.out, "Token Name: +(.*\\S)"), ElementsAre("keybroker"))
      << Everything(listed);
  CommandResult certificates = RunCommand({"certutil", "-L", "-d", dir, "-h", "keybroker"});
  EXPECT_EQ(certificates.status, 0) << Everything(certificates);
  EXPECT_THAT(certificates.out, HasSubstr(std::string("keybroker:") + kKeyName))
      << Everything(certificates);
}

}  // namespace
}  // namespace keybroker::test
