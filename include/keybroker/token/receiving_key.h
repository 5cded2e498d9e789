#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/token/key_pair.h"
#include "keybroker/token/key_wrap.h"
#include "keybroker/token/recipient_wrap.h"

namespace keybroker::token {

// kReceivingLabel is CKA_LABEL of receiving keys, so that one which was left is found.
inline constexpr char kReceivingLabel[] = "keybroker-receive";

// ReceivingKey is an RSA key pair that a token makes to be sent one key of another token's. Its
// private key unwraps content keys and does no more, and never leaves. It is destroyed with this
// object. The session must outlive it.
class ReceivingKey {
 public:
  // Make generates it as objects of the session: a crash leaves nothing.
  static Result<ReceivingKey> Make(const Session& session);

  // Prepare generates one as objects of the token, for a later Find. Returns its public key, a DER
  // SubjectPublicKeyInfo.
  static Result<std::vector<uint8_t>> Prepare(const Session& session);

  // Find takes up the one of Prepare whose SubjectPublicKeyInfo has this SHA-256; NotFound lists
  // those there are. The session must be read-write.
  static Result<ReceivingKey> Find(const Session& session, const std::array<uint8_t, 32>& sha256);

  ReceivingKey(ReceivingKey&& other) noexcept;
  ReceivingKey& operator=(ReceivingKey&&) = delete;
  ~ReceivingKey();

  const std::vector<uint8_t>& spki() const { return spki_; }  // DER

  // Hashes is which RSA-OAEP this token does, by a known answer: a key that OpenSSL wraps to spki
  // comes out as what it is. SHA-256 first.
  std::vector<OaepHash> Hashes() const;

  // Receive unwraps the first content key of sent, and under it the private key of spec, which is
  // put on the token as RestoreKey does.
  Result<KeyPair> Receive(const RecipientWrap& sent, const UnwrapSpec& spec) const;

 private:
  ReceivingKey(const Session* session, Session::Pair pair) : session_(session), pair_(pair) {}

  static Result<ReceivingKey> Generate(const Session& session, bool on_token);
  bool Opens(OaepHash hash) const;

  const Session* session_;
  Session::Pair pair_;
  std::vector<uint8_t> spki_;
};

// SpkiSha256 is the SHA-256 of a DER SubjectPublicKeyInfo: a key's fingerprint.
Result<std::array<uint8_t, 32>> SpkiSha256(Bytes spki);

}  // namespace keybroker::token
