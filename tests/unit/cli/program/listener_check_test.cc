// `listener check` against openssl s_server and against peers that are worse than any server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <set>

#include "unit/cli/program/host.h"
#include "unit/cli/program/tcp_server.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A server that holds its own key files, named to keybroker as if they were on a token.
class ListenerCheck : public Host {
 protected:
  void SetUp() override {
    Host::SetUp();
    MakeCa();
    MakeKey("rsa", {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
    MakeKey("ec", {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"});
    Text({"listener", "add", "https", "--user", "root"});
    Text({"listener", "bind", "https", kName});
    SetCurrent(ids_["rsa"], ids_["ec"]);
  }

  void MakeKey(const std::string& type, const Arguments& kind) {
    Arguments make = {"genpkey", "-out", File(type + ".key")};
    make.insert(make.end(), kind.begin(), kind.end());
    OpenSsl(make);
    MakeCertificate(type, type + ".crt");
    ids_[type] = KeyId(type);
    Install(type, type + ".crt");
  }

  void MakeCertificate(const std::string& type, const std::string& file) {
    OpenSsl({"req", "-new", "-key", File(type + ".key"), "-subj", "/CN=x", "-out",
             File(type + ".csr")});
    Sign(type + ".csr", std::string("DNS:") + kName, file);
  }

  // KeyId is the subject key identifier that OpenSSL gives the key.
  std::string KeyId(const std::string& type) const {
    OpenSsl({"req", "-x509", "-key", File(type + ".key"), "-subj", "/CN=x", "-addext",
             "subjectKeyIdentifier=hash", "-out", File("id.crt")});
    const auto shown = keybroker::test::RunCommand(
        {"openssl", "x509", "-in", File("id.crt"), "-noout", "-ext", "subjectKeyIdentifier"});
    std::string id;
    for (const char c : shown.out.substr(shown.out.find('\n'))) {
      if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
        id += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
    }
    return id;
  }

  void Install(const std::string& type, const std::string& file, std::string id = "") {
    if (id.empty()) id = ids_[type];
    std::filesystem::create_directories(File("etc/chains"));
    Write("etc/chains/" + std::string(kName) + "." + type + "." + id + ".pem", Read(file));
  }

  void SetCurrent(const std::string& rsa, const std::string& ec) const {
    Write("etc/current.toml",
          std::string("[\"") + kName + "\"]\nrsa = \"" + rsa + "\"\nec = \"" + ec + "\"\n");
  }

  // Serve starts openssl s_server, with both keys unless told otherwise, and gives its port.
  int Serve(Arguments keys = {}) {
    if (keys.empty()) {
      keys = {"-cert",  File("rsa.crt"), "-key",  File("rsa.key"),
              "-dcert", File("ec.crt"),  "-dkey", File("ec.key")};
    }
    keys.insert(keys.begin(), {"openssl", "s_server", "-accept", "127.0.0.1:0", "-www"});
    server_ = Process::Start(keys);
    EXPECT_TRUE(server_.WaitForText("ACCEPT 127.0.0.1:")) << server_.output();
    const std::string& said = server_.output();
    return static_cast<int>(std::strtol(said.c_str() + said.find("127.0.0.1:") + 10, nullptr, 10));
  }

  // Check is the command's JSON; the exit status must be as said.
  Json Check(const std::string& address, int status, const Arguments& more = {}) const {
    Arguments all = {"--json",    "listener", "check", "https",
                     "--connect", address,    "--ca",  File("ca.pem")};
    all.insert(all.end(), more.begin(), more.end());
    const auto result = Run(all);
    EXPECT_EQ(result.status, status) << result.out << result.err;
    return Json::parse(result.out, nullptr, false);
  }
  Json Check(int port, int status, const Arguments& more = {}) const {
    return Check("127.0.0.1:" + std::to_string(port), status, more);
  }

  // Findings are the words of all handshakes.
  static std::set<std::string> Findings(const Json& json) {
    std::set<std::string> words;
    for (const auto& one : json["handshakes"]) words.insert(one["finding"]);
    return words;
  }
  static std::string FirstText(const Json& json) { return json["handshakes"][0]["text"]; }

  // PeerSays is the one handshake with a server that does this.
  Json PeerSays(std::function<void(const Peer&)> serve, const Arguments& more = {}) const {
    const TcpServer server(std::move(serve));
    Json json = Check(server.address(), 1, more);
    EXPECT_EQ(json["handshakes"].size(), 1U) << "a server's fault is not met four times";
    return json;
  }

  std::map<std::string, std::string> ids_;
  Process server_;
};

using Words = std::set<std::string>;

TEST_F(ListenerCheck, ShakesHandsFourTimesAndMissesTheBroker) {
  const Json json = Check(Serve(), 1);
  ASSERT_EQ(json["handshakes"].size(), 4U);
  EXPECT_EQ(Findings(json), Words({"ok"})) << json;
  EXPECT_EQ(json["broker"], "not-through-broker");
  EXPECT_THAT(json["broker_text"].get<std::string>(), HasSubstr("copy of the key"));
}

TEST_F(ListenerCheck, SaysThatTheKeyIsAnother) {
  const std::string unknown(40, 'a');
  SetCurrent(unknown, unknown);
  std::filesystem::remove_all(File("etc/chains"));  // else it is known as an older generation
  const Json json = Check(Serve(), 1);
  EXPECT_EQ(Findings(json), Words({"other-key"}));
  EXPECT_THAT(FirstText(json), HasSubstr("a key that keybroker does not know"));
}

TEST_F(ListenerCheck, SaysThatTheGenerationIsAnOlderOne) {
  SetCurrent(std::string(40, 'a'), ids_["ec"]);
  const Json json = Check(Serve(), 1, {"--type", "rsa"});
  EXPECT_EQ(Findings(json), Words({"other-generation"}));
  EXPECT_THAT(FirstText(json), HasSubstr(ids_["rsa"]));
}

TEST_F(ListenerCheck, SaysThatTheCertificateIsAnother) {
  MakeCertificate("ec", "renewed.crt");
  Install("ec", "renewed.crt");
  EXPECT_EQ(Findings(Check(Serve(), 1, {"--type", "ec"})), Words({"other-certificate"}));
}

TEST_F(ListenerCheck, SaysThatTheNameIsAnother) {
  EXPECT_EQ(Findings(Check(Serve(), 1, {"--name", "www.example.test"})), Words({"wrong-name"}));
}

TEST_F(ListenerCheck, SaysThatTheServerHasNoSuchVersion) {
  const Json json = Check(Serve({"-cert", File("ec.crt"), "-key", File("ec.key"), "-tls1_3"}), 1,
                          {"--type", "ec"});
  EXPECT_EQ(Findings(json), Words({"ok", "version-refused"})) << json;
  EXPECT_THAT(FirstText(json), HasSubstr("--tls"));
}

TEST_F(ListenerCheck, SaysThatNothingListens) {
  const Json json = Check(ClosedPort(), 1);
  EXPECT_EQ(Findings(json), Words({"nothing-listens"}));
}

TEST_F(ListenerCheck, TriesTheServersFilesAsTheServerDoes) {
  const std::string directory = File("files");
  ASSERT_EQ(Run({"listener", "config", "https", "--for", "nginx", "--write", directory}).status, 0);
  Json json = Check(ClosedPort(), 1, {"--files", directory});
  ASSERT_EQ(json["files"].size(), 2U) << json;
  EXPECT_THAT(json["files"][0]["text"].get<std::string>(), HasSubstr("broker away"));
  EXPECT_EQ(json["files"][0]["good"], false);

  Write("files/mail.example.test.rsa.pem",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
  json = Check(ClosedPort(), 1, {"--files", directory, "--type", "rsa"});
  ASSERT_EQ(json["files"].size(), 1U) << json;
  EXPECT_THAT(json["files"][0]["text"].get<std::string>(), HasSubstr("no reference of keybroker"));
}

TEST_F(ListenerCheck, TriesWhatGnuTlsWouldLoad) {
  const std::string directory = File("files");
  ASSERT_EQ(
      Run({"listener", "config", "https", "--for", "generic-gnutls", "--write", directory}).status,
      0);
  const auto said = [&](size_t count) {
    const Json json = Check(ClosedPort(), 1, {"--files", directory});
    EXPECT_EQ(json["files"].size(), count) << json;
    return json["files"].empty() ? "" : json["files"].back()["text"].get<std::string>();
  };
  const auto replace = [&](const std::string& file, const std::string& from,
                           const std::string& to) {
    std::string text = Read("files/" + file);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    Write("files/" + file, text.replace(at, from.size(), to));
  };
  EXPECT_THAT(said(1), HasSubstr("names a PKCS#11 module that loads"));
  replace("keybroker.module", "\nmodule: /", "\nmodule: /nowhere/");
  EXPECT_THAT(said(1), HasSubstr("PKCS#11 module missing: /nowhere/"));
  replace("keybroker.module", "\nmodule: /", "\nmodule: " KB_SOURCE_DIR "/README.md #/");
  EXPECT_THAT(said(1), HasSubstr("PKCS#11 module missing: "));
  replace("generic-gnutls.conf", "pkcs11:token=keybroker;id=%", "pkcs11:token=keybroker;id=%00%");
  EXPECT_THAT(said(2), HasSubstr("names a key by id 00"));
  replace("generic-gnutls.conf", ";type=private", ";type=public");
  EXPECT_THAT(said(2), HasSubstr("malformed URI"));
  std::filesystem::permissions(directory, std::filesystem::perms(0777));
  EXPECT_EQ(Check(ClosedPort(), 1, {"--files", directory})["files"][0]["good"], false);
}

// Its configuration names code: nobody else may choose what runs as the listener's user.
TEST_F(ListenerCheck, LoadsNothingThatOthersCanExchange) {
  const std::string directory = File("files");
  ASSERT_EQ(Run({"listener", "config", "https", "--for", "nginx", "--write", directory}).status, 0);
  const auto said = [&] {
    const Json json = Check(ClosedPort(), 1, {"--files", directory, "--type", "rsa"});
    return json["files"].size() == 1 ? json["files"][0]["text"].get<std::string>() : json.dump();
  };
  std::filesystem::permissions(directory, std::filesystem::perms(0777));
  EXPECT_THAT(said(), AllOf(HasSubstr("left out, nothing was loaded"), HasSubstr("chmod go-w")));
  std::filesystem::permissions(directory, std::filesystem::perms(0755));
  EXPECT_THAT(said(), HasSubstr("broker away")) << "loaded";
  std::filesystem::rename(directory + "/openssl.cnf", File("elsewhere.cnf"));
  std::filesystem::create_symlink(File("elsewhere.cnf"), directory + "/openssl.cnf");
  EXPECT_THAT(said(), AllOf(HasSubstr("left out, nothing was loaded"), HasSubstr("real path")));
}

TEST_F(ListenerCheck, SaysThatThePeerIsSilent) {
  const Json json = PeerSays([](const Peer& peer) { peer.AwaitEnd(); }, {"--timeout", "1"});
  EXPECT_EQ(Findings(json), Words({"silent"}));
}

TEST_F(ListenerCheck, SaysThatThePeerSpeaksNoTls) {
  const Json json = PeerSays([](const Peer& peer) {
    peer.Send("220 mail.example.test ESMTP\r\n");
    peer.AwaitEnd();
  });
  EXPECT_EQ(Findings(json), Words({"not-tls"}));
  EXPECT_THAT(FirstText(json),
              AllOf(HasSubstr("220 mail.example.test ESMTP"), HasSubstr("--starttls")));
}

TEST_F(ListenerCheck, EndsAFlood) {
  const auto flood = [](const std::string& bytes) {
    return [bytes](const Peer& peer) {
      while (peer.Send(bytes)) {
      }
    };
  };
  EXPECT_EQ(Findings(PeerSays(flood("220-hello\r\n"), {"--starttls", "smtp"})), Words({"flood"}));
  EXPECT_EQ(Findings(PeerSays(flood(std::string(1000, 'x')), {"--starttls", "smtp"})),
            Words({"flood"}));
  EXPECT_EQ(Findings(PeerSays(flood("* OK\r\n"), {"--starttls", "imap"})), Words({"flood"}));
}

// A TLS 1.2 server may send HelloRequests without end, and OpenSSL's client skips each.
TEST_F(ListenerCheck, EndsAFloodOfTlsMessages) {
  std::string requests;
  for (int i = 0; i < 256; ++i) requests += std::string("\x16\x03\x03\x00\x04\x00\x00\x00\x00", 9);
  const TcpServer server([&](const Peer& peer) {
    while (peer.Send(requests)) {
    }
  });
  const Json json = Check(server.address(), 1, {"--tls", "1.2", "--type", "ec"});
  EXPECT_THAT(FirstText(json), ::testing::AnyOf(HasSubstr("KiB"), HasSubstr("wrong")));
}

TEST_F(ListenerCheck, SaysThatStartTlsIsDeclined) {
  const Json smtp = PeerSays(
      [](const Peer& peer) {
        peer.Send("220 hello\r\n");
        peer.Line();
        peer.Send("250-hello\r\n250 PIPELINING\r\n");
        peer.AwaitEnd();
      },
      {"--starttls", "smtp"});
  EXPECT_EQ(Findings(smtp), Words({"broker-away"}));
  EXPECT_THAT(FirstText(smtp), HasSubstr("offers no STARTTLS"));
  const Json pop3 = PeerSays(
      [](const Peer& peer) {
        peer.Send("+OK\r\n");
        peer.Line();
        peer.Send("-ERR \x1b[31mno\r\n");
        peer.AwaitEnd();
      },
      {"--starttls", "pop3"});
  EXPECT_THAT(FirstText(pop3), HasSubstr("declines STARTTLS: \"-ERR ?[31mno\""));
}

// What comes in the clear behind the consent would be taken for the server's word inside TLS.
TEST_F(ListenerCheck, RefusesBytesInTheClearBehindTheConsent) {
  const Json json = PeerSays(
      [](const Peer& peer) {
        peer.Send("200 news\r\n");
        peer.Line();
        peer.Send("382 go on\r\n211 injected\r\n");
        peer.AwaitEnd();
      },
      {"--starttls", "nntp"});
  EXPECT_EQ(Findings(json), Words({"starttls-broken"}));
  EXPECT_THAT(FirstText(json), HasSubstr("211 injected"));
}

TEST_F(ListenerCheck, SpeaksEveryStartTls) {
  const int port = Serve();
  const std::map<std::string, std::function<void(const Peer&)>> servers = {
      {"smtp",
       [](const Peer& peer) {
         peer.Send("220-mail.example.test\r\n220 ESMTP\r\n");
         EXPECT_EQ(peer.Line(), "EHLO localhost");
         peer.Send("250-mail.example.test\r\n250-starttls\r\n250 SIZE\r\n");
         EXPECT_EQ(peer.Line(), "STARTTLS");
         peer.Send("220 go on\r\n");
       }},
      {"imap",
       [](const Peer& peer) {
         peer.Send("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n");
         EXPECT_EQ(peer.Line(), "kb1 STARTTLS");
         peer.Send("* NO anything else\r\nkb1 OK go on\r\n");
       }},
      {"pop3",
       [](const Peer& peer) {
         peer.Send("+OK hello\r\n");
         EXPECT_EQ(peer.Line(), "STLS");
         peer.Send("+OK go on\r\n");
       }},
      {"nntp", [](const Peer& peer) {
         peer.Send("201 news\r\n");
         EXPECT_EQ(peer.Line(), "STARTTLS");
         peer.Send("382 go on\r\n");
       }}};
  for (const auto& [protocol, greet] : servers) {
    const TcpServer server([&, talk = greet](const Peer& peer) {
      talk(peer);
      peer.Relay(port);
    });
    const Json json = Check(server.address(), 1, {"--starttls", protocol});
    EXPECT_EQ(Findings(json), Words({"ok"})) << protocol << json;
    EXPECT_EQ(json["handshakes"].size(), 4U);
  }
}

TEST_F(ListenerCheck, RefusesWhatItDoesNotUnderstand) {
  const auto fails = [&](const Arguments& more) {
    Arguments all = {"listener", "check", "https"};
    all.insert(all.end(), more.begin(), more.end());
    return Misused(all);
  };
  EXPECT_THAT(fails({}), HasSubstr("--connect HOST:PORT"));
  EXPECT_THAT(fails({"--for", "stunnel"}), HasSubstr("stunnel has no port of its own"));
  EXPECT_THAT(fails({"--connect", "localhost"}), HasSubstr("is not HOST:PORT"));
  EXPECT_THAT(fails({"--connect", "::1:443"}), HasSubstr("[::1]:443"));
  EXPECT_THAT(fails({"--connect", "localhost:443", "--starttls", "ldap"}), HasSubstr("nntp"));
  EXPECT_THAT(fails({"--connect", "localhost:443", "--tls", "1.1"}), HasSubstr("1.2 or 1.3"));
  EXPECT_THAT(fails({"--connect", "localhost:443", "--timeout", "0"}), HasSubstr("1 to 60"));
}

}  // namespace
}  // namespace keybroker::cli::test
