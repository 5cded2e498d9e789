#include "backup/foreign/key_manager.h"

#include <algorithm>
#include <string_view>

#include "backup/foreign/der.h"
#include "backup/foreign/failure.h"

namespace keybroker::backup {
namespace {

using namespace std::string_view_literals;

// What stands before the key and before the certificate: an OCTET STRING with a name in it.
constexpr std::string_view kKeyMark = "\x04\x0bprivate-key"sv;
constexpr std::string_view kCertificateMark = "certificate"sv;

// 1.2.840.113549.3.4
constexpr uint8_t kRc4[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x04};

constexpr size_t kMaxCiphertext = 16384;  // an RSA-4096 key has 2.4 KB
constexpr size_t kMaxMarks = 64;          // places that are looked at
constexpr size_t kMaxGap = 16;            // bytes between a certificate's mark and its SEQUENCE

size_t FindFrom(token::Bytes bytes, std::string_view mark, size_t from) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.find(mark, from);
}

// FollowsSequence tells whether a SEQUENCE's tag and length end at the offset. The length itself is
// not believed: OpenSSL declares the format's outermost SEQUENCE broken, and never read it.
bool FollowsSequence(token::Bytes bytes, size_t at) {
  for (size_t digits = 0; digits <= 3; ++digits) {
    if (at < 2 + digits) return false;
    const uint8_t* header = bytes.data() + (at - 2 - digits);
    const bool fits = digits == 0 ? header[1] <= 0x80 : header[1] == 0x80 + digits;
    if (header[0] == kDerSequence && fits) return true;
  }
  return false;
}

// Ciphertext reads SEQUENCE { SEQUENCE { rc4, NULL or nothing }, OCTET STRING }.
KeyFileResult<token::Bytes> Ciphertext(token::Bytes bytes) {
  constexpr char kWhat[] = "it begins like a Key Manager backup file, but its encrypted key ";
  DerReader reader(bytes);
  const auto encrypted = reader.NextOf(kDerSequence);
  if (!encrypted && reader.truncated()) {
    return FailKeyFile(KeyFileDefect::kTruncated, std::string(kWhat) + "is cut off");
  }
  DerReader parts(encrypted ? encrypted->contents : token::Bytes());
  const auto algorithm = parts.NextOf(kDerSequence);
  DerReader names(algorithm ? algorithm->contents : token::Bytes());
  const auto oid = names.NextOf(kDerOid);
  const auto null = names.NextOf(kDerNull);
  const auto octets = parts.NextOf(kDerOctetString);
  if (!oid || !std::equal(oid->contents.begin(), oid->contents.end(), kRc4, kRc4 + sizeof kRc4) ||
      (null && !null->contents.empty()) || !names.AtEnd() || !octets || !parts.AtEnd() ||
      octets->contents.empty() || octets->contents.size() > kMaxCiphertext) {
    return FailKeyFile(KeyFileDefect::kDamaged, std::string(kWhat) + "does not parse");
  }
  return octets->contents;
}

// FindCertificate takes the first that parses after its mark.
void FindCertificate(token::Bytes bytes, KeyManagerFile* file) {
  size_t at = FindFrom(bytes, kCertificateMark, 0);
  for (size_t tries = 0; at != std::string_view::npos && tries < kMaxMarks; ++tries) {
    const token::Bytes after = bytes.subspan(at + kCertificateMark.size());
    for (size_t gap = 0; gap <= kMaxGap && gap < after.size(); ++gap) {
      const auto element = DerReader(after.subspan(gap)).NextOf(kDerSequence);
      if (!element || element->contents.size() < 128) continue;
      auto certificate = credential::ParseCertificate(element->whole);
      if (!certificate) continue;
      file->certificate = std::move(*certificate);
      file->certificate_lost = false;
      return;
    }
    // Before the certificate comes its name as an OCTET STRING; the bare word may be in any text.
    file->certificate_lost |= at >= 2 && bytes[at - 2] == kDerOctetString && bytes[at - 1] == 0x0b;
    at = FindFrom(bytes, kCertificateMark, at + 1);
  }
}

bool Hash(const EVP_MD* md5, token::Bytes first, std::string_view then, Secret* out) {
  const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> ctx(EVP_MD_CTX_new());
  unsigned size = 0;
  if (ctx == nullptr || EVP_DigestInit_ex(ctx.get(), md5, nullptr) != 1 ||
      EVP_DigestUpdate(ctx.get(), first.data(), first.size()) != 1 ||
      EVP_DigestUpdate(ctx.get(), then.data(), then.size()) != 1 ||
      EVP_DigestFinal_ex(ctx.get(), out->Buffer().data(), &size) != 1) {
    return false;
  }
  out->SetSize(size);
  return true;
}

// Decrypt gives nothing where there is no memory.
Secret Decrypt(const EVP_CIPHER* rc4, const Secret& key, token::Bytes ciphertext) {
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  auto plain = Secret::Allocate(ciphertext.size());
  int size = 0;
  if (ctx == nullptr || !plain || key.size() != 16 ||
      EVP_DecryptInit_ex(ctx.get(), rc4, nullptr, key.Expose().data(), nullptr) != 1 ||
      EVP_DecryptUpdate(ctx.get(), plain->Buffer().data(), &size, ciphertext.data(),
                        static_cast<int>(ciphertext.size())) != 1) {
    return {};
  }
  plain->SetSize(static_cast<size_t>(size));
  return std::move(*plain);
}

// IsPrivateKeyInfo: SEQUENCE { INTEGER 0, SEQUENCE, OCTET STRING }. What follows it is passed over,
// as those did who read this format before.
bool IsPrivateKeyInfo(token::Bytes bytes, size_t* size) {
  const auto whole = DerReader(bytes).NextOf(kDerSequence);
  DerReader parts(whole ? whole->contents : token::Bytes());
  const auto version = parts.NextOf(kDerInteger);
  const bool good = version && version->contents.size() == 1 && version->contents[0] == 0 &&
                    parts.NextOf(kDerSequence) && parts.NextOf(kDerOctetString);
  if (good) *size = whole->whole.size();
  return good;
}

}  // namespace

KeyFileResult<std::optional<KeyManagerFile>> FindKeyManager(token::Bytes bytes) {
  tl::expected<token::Bytes, KeyFileError> found = token::Bytes();
  size_t at = FindFrom(bytes, kKeyMark, 0);
  for (size_t tries = 0; at != std::string_view::npos && tries < kMaxMarks; ++tries) {
    if (FollowsSequence(bytes, at)) found = Ciphertext(bytes.subspan(at + kKeyMark.size()));
    if (found && !found->empty()) break;
    at = FindFrom(bytes, kKeyMark, at + 1);
  }
  if (!found) return tl::unexpected(found.error());
  if (found->empty()) return std::optional<KeyManagerFile>();
  KeyManagerFile file;
  file.ciphertext = *found;
  FindCertificate(bytes, &file);
  return std::optional(std::move(file));
}

KeyFileResult<KeyManagerKey> OpenKeyManager(const LegacyLibrary& library, token::Bytes ciphertext,
                                            const Secret& password) {
  const CipherPtr rc4 = library.Cipher("RC4");
  const DigestPtr md5 = library.Digest("MD5");
  if (rc4 == nullptr || md5 == nullptr) {
    return FailKeyFile(KeyFileDefect::kUnsupported, library.Missing());
  }
  auto key = Secret::Allocate(16);
  auto sgc_key = Secret::Allocate(16);
  if (!key || !sgc_key || !Hash(md5.get(), password.Expose(), "", &*key) ||
      !Hash(md5.get(), key->Expose(), "SGCKEYSALT", &*sgc_key)) {
    return FailKeyFile(KeyFileDefect::kUnsupported, "there is no memory, or no MD5");
  }
  for (const bool sgc : {false, true}) {
    KeyManagerKey opened{Decrypt(rc4.get(), sgc ? *sgc_key : *key, ciphertext), sgc};
    size_t size = 0;
    if (!IsPrivateKeyInfo(opened.pkcs8.Expose(), &size)) continue;
    opened.pkcs8.Truncate(size);
    return opened;
  }
  return WrongPassword();
}

}  // namespace keybroker::backup
