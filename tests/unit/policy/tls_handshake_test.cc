#include "keybroker/policy/tls_handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "keybroker/policy/decision.h"

namespace keybroker::policy {
namespace {

using cryptoki::KeyType;
using Bytes = std::vector<uint8_t>;

Bytes Of(std::string_view text) { return {text.begin(), text.end()}; }

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// The content of RFC 8446 section 4.4.3, with the context of either side.
Bytes CertificateVerify(std::string_view side, size_t transcript) {
  return Bytes(64, ' ') + Of("TLS 1.3, " + std::string(side) + " CertificateVerify") + Bytes{0} +
         Bytes(transcript, 0x5a);
}

// What RFC 8422 section 5.4 has a server sign; first is the point's first byte.
Bytes ServerKeyExchange(uint16_t group, size_t point, uint8_t first) {
  Bytes message(64, 0xa5);
  message = message + Bytes{3, static_cast<uint8_t>(group >> 8), static_cast<uint8_t>(group),
                            static_cast<uint8_t>(point), first};
  return message + Bytes(point - 1, 0x77);
}

// Each kind that a server sends, by name.
std::vector<Bytes> Handshakes() {
  return {CertificateVerify("server", 32), CertificateVerify("server", 48),
          ServerKeyExchange(23, 65, 4),    ServerKeyExchange(24, 97, 4),
          ServerKeyExchange(25, 133, 4),   ServerKeyExchange(29, 32, 0x99),
          ServerKeyExchange(30, 56, 0x99)};
}

TEST(TlsHandshake, IsWhatServersSignInTls12And13) {
  for (const Bytes& message : Handshakes()) EXPECT_TRUE(IsTlsHandshakeMessage(message));
}

TEST(TlsHandshake, IsNothingShorterOrLonger) {
  for (const Bytes& message : Handshakes()) {
    for (size_t size = 0; size < message.size(); ++size) {
      // A transcript hash of SHA-384 cut to SHA-256's length is one.
      if (message.size() == 146 && size == 130) continue;
      EXPECT_FALSE(IsTlsHandshakeMessage({message.data(), size})) << size;
    }
    EXPECT_FALSE(IsTlsHandshakeMessage(message + Bytes{0}));
  }
}

TEST(TlsHandshake, HasRandomsThatAreNoText) {
  const Bytes exchange = ServerKeyExchange(29, 32, 0x99);
  const auto with = [&](const Bytes& randoms) {
    return randoms + Bytes(exchange.begin() + 64, exchange.end());
  };
  const Bytes text = Of("ssh-connection GET / HTTP/1.1\r\nHost: a.example.test\r\n\tand so on~");
  ASSERT_EQ(text.size(), 64U);
  EXPECT_FALSE(IsTlsHandshakeMessage(with(text)));
  EXPECT_FALSE(IsTlsHandshakeMessage(with(Bytes(64, ' '))));
  // One byte of 64 that is no text is enough: a byte of a random is none in 6 of 10 cases.
  for (size_t i = 0; i < text.size(); ++i) {
    for (const int byte : {0x00, 0x08, 0x0e, 0x1f, 0x7f, 0xff}) {
      Bytes randoms = text;
      randoms[i] = static_cast<uint8_t>(byte);
      EXPECT_TRUE(IsTlsHandshakeMessage(with(randoms))) << i;
    }
  }
}

TEST(TlsHandshake, OfAClientIsNotAServers) {
  EXPECT_FALSE(IsTlsHandshakeMessage(CertificateVerify("client", 32)));
}

TEST(TlsHandshake, HasEveryFixedByteInItsPlace) {
  const Bytes verify = CertificateVerify("server", 32);
  for (size_t i = 0; i < verify.size() - 32; ++i) {
    Bytes changed = verify;
    changed[i] ^= 1;
    EXPECT_FALSE(IsTlsHandshakeMessage(changed)) << i;
  }
  const Bytes exchange = ServerKeyExchange(23, 65, 4);
  for (size_t i = 64; i < 69; ++i) {
    Bytes changed = exchange;
    changed[i] ^= 1;
    EXPECT_FALSE(IsTlsHandshakeMessage(changed)) << i;
  }
}

TEST(TlsHandshake, IsNoGroupOfAnotherKind) {
  // brainpoolP256r1, secp256k1, an explicit curve, a finite field group's prime.
  EXPECT_FALSE(IsTlsHandshakeMessage(ServerKeyExchange(26, 65, 4)));
  EXPECT_FALSE(IsTlsHandshakeMessage(ServerKeyExchange(22, 65, 4)));
  Bytes explicit_curve = ServerKeyExchange(23, 65, 4);
  explicit_curve[64] = 1;
  EXPECT_FALSE(IsTlsHandshakeMessage(explicit_curve));
  EXPECT_FALSE(IsTlsHandshakeMessage(Bytes(64, 0) + Bytes{1, 0} + Bytes(600, 0xff)));
}

// The randoms are whatever a listener says they are: a request may begin in them and hide the five
// fixed bytes in its subject.
TEST(TlsHandshake, IsNoDerValueThatWasMadeToLookLikeOne) {
  for (const uint8_t tag : Bytes{0x30, 0x31}) {
    Bytes forged = ServerKeyExchange(23, 65, 4);
    forged[0] = tag;
    forged[1] = 0x81;
    forged[2] = static_cast<uint8_t>(forged.size() - 3);
    EXPECT_FALSE(IsTlsHandshakeMessage(forged));
    forged[2] ^= 1;  // no longer from end to end: a random that begins like DER
    EXPECT_TRUE(IsTlsHandshakeMessage(forged));
    Bytes short_form = ServerKeyExchange(29, 32, 0x99);
    short_form[0] = tag;
    short_form[1] = static_cast<uint8_t>(short_form.size() - 2);
    EXPECT_FALSE(IsTlsHandshakeMessage(short_form));
    Bytes long_form = ServerKeyExchange(25, 133, 4);
    long_form[0] = tag;
    long_form[1] = 0x82;
    long_form[2] = 0;
    long_form[3] = static_cast<uint8_t>(long_form.size() - 4);
    EXPECT_FALSE(IsTlsHandshakeMessage(long_form));
  }
}

// OpenSSL reads these as a request too, and verifies the bytes as they stand.
TEST(TlsHandshake, IsNoBerValueEither) {
  const auto with_head = [](const Bytes& head, const Bytes& tail) {
    Bytes forged = ServerKeyExchange(25, 133, 4);
    std::copy(head.begin(), head.end(), forged.begin());
    std::copy(tail.begin(), tail.end(), forged.end() - static_cast<long>(tail.size()));
    return forged;
  };
  EXPECT_FALSE(IsTlsHandshakeMessage(with_head({0x30, 0x83, 0, 0, 196}, {})));
  EXPECT_FALSE(IsTlsHandshakeMessage(with_head({0x30, 0x84, 0, 0, 0, 195}, {})));
  EXPECT_FALSE(IsTlsHandshakeMessage(with_head({0x30, 0x80}, {0, 0})));
  EXPECT_FALSE(IsTlsHandshakeMessage(with_head({0x3f, 0x10, 0x81, 197}, {})));
  EXPECT_FALSE(IsTlsHandshakeMessage(with_head({0x3f, 0x80, 0x11, 0x81, 196}, {})));
  EXPECT_TRUE(IsTlsHandshakeMessage(with_head({0x30, 0x83, 0, 0, 195}, {})));
  EXPECT_TRUE(IsTlsHandshakeMessage(with_head({0x30, 0x80}, {0, 1})));
}

Listener Bound(std::vector<std::vector<std::string>> sets) {
  Listener listener;
  listener.name = "https";
  for (auto& names : sets) {
    const auto permitted = ExpandMechanisms(names);
    EXPECT_TRUE(permitted.has_value());
    listener.bindings.push_back({"k", std::nullopt, std::move(names), *permitted});
  }
  return listener;
}

constexpr KeyFacts kEcKey{"k", KeyType::kEc, 256};

TEST(TlsHandshake, IsDemandedByTheSetOfThatName) {
  const Listener listener = Bound({{"tls-handshake"}});
  const Bytes handshake = CertificateVerify("server", 32);
  const Bytes other = Of("a request for a certificate, say");
  EXPECT_EQ(DecideRequest(listener, &kEcKey, {CKM_ECDSA_SHA256, {}, handshake}), Reason::kGranted);
  EXPECT_EQ(DecideRequest(listener, &kEcKey, {CKM_ECDSA_SHA256, {}, other}),
            Reason::kNotTlsHandshake);
  // Its digest might be of anything.
  EXPECT_EQ(DecideRequest(listener, &kEcKey, {CKM_ECDSA, {}, Bytes(32)}),
            Reason::kMechanismNotBound);
}

TEST(TlsHandshake, IsNotDemandedWhereAnotherBindingPermitsMore) {
  const Listener listener = Bound({{"tls-handshake"}, {"CKM_ECDSA_SHA384"}});
  const Bytes other = Of("anything");
  EXPECT_EQ(DecideRequest(listener, &kEcKey, {CKM_ECDSA_SHA384, {}, other}), Reason::kGranted);
  EXPECT_EQ(DecideRequest(listener, &kEcKey, {CKM_ECDSA_SHA256, {}, other}),
            Reason::kNotTlsHandshake);
}

TEST(TlsHandshake, SetStandsAlone) {
  const auto mixed = ExpandMechanisms({"tls-handshake", "tls-server"});
  ASSERT_FALSE(mixed.has_value());
  EXPECT_THAT(mixed.error().detail, ::testing::HasSubstr("stands alone"));
}

}  // namespace
}  // namespace keybroker::policy
