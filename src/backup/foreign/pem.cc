#include "backup/foreign/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "backup/foreign/failure.h"
#include "keybroker/base/hex.h"

namespace keybroker::backup {
namespace {

constexpr char kBegin[] = "-----BEGIN ";
constexpr char kEnd[] = "-----END ";
constexpr std::string_view kDek = "DEK-Info: ";

// The CBC ciphers that OpenSSL ever wrote such a header for.
constexpr std::array<std::string_view, 13> kCiphers = {
    "DES-CBC",     "DES-EDE-CBC",      "DES-EDE3-CBC",     "AES-128-CBC",
    "AES-192-CBC", "AES-256-CBC",      "CAMELLIA-128-CBC", "CAMELLIA-192-CBC",
    "RC2-CBC",     "CAMELLIA-256-CBC", "ARIA-256-CBC",     "IDEA-CBC",
    "BF-CBC"};

// Raw is what PEM_read_bio_ex allocated.
struct Raw {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  Raw() = default;
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  ~Raw() {
    OPENSSL_secure_free(name);
    OPENSSL_secure_free(header);
    OPENSSL_secure_clear_free(data, static_cast<size_t>(size));
  }
};

std::string DekOf(std::string_view header) {
  const size_t at = header.find(kDek);
  if (at == std::string_view::npos) return header.empty() ? "" : "?";
  const std::string_view line = header.substr(at + kDek.size());
  return std::string(line.substr(0, line.find_first_of("\r\n ")));
}

bool IsWanted(std::string_view name) {
  return name.ends_with("PRIVATE KEY") || name == PEM_STRING_X509 || name == PEM_STRING_X509_OLD;
}

KeyFileResult<void> Incomplete(std::string_view text) {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_REASON(error) == PEM_R_NO_START_LINE) return {};
  const size_t begin = text.rfind(kBegin);
  if (begin != std::string_view::npos && text.find(kEnd, begin) == std::string_view::npos) {
    return FailKeyFile(KeyFileDefect::kTruncated, "its last block has no end");
  }
  return FailKeyFile(KeyFileDefect::kDamaged, "it is PEM that does not parse");
}

}  // namespace

KeyFileResult<std::vector<PemBlock>> ReadPem(token::Bytes bytes) {
  std::vector<PemBlock> blocks;
  const BioPtr in(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  for (;;) {
    Raw raw;
    if (in == nullptr || PEM_read_bio_ex(in.get(), &raw.name, &raw.header, &raw.data, &raw.size,
                                         PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE) != 1) {
      break;
    }
    if (!IsWanted(raw.name)) continue;
    auto der = Secret::CopyFrom(token::Bytes(raw.data, static_cast<size_t>(raw.size)));
    if (!der || blocks.size() == kMaxKeyFileCertificates) {
      return FailKeyFile(KeyFileDefect::kUnsupported,
                         "it has more than " + std::to_string(kMaxKeyFileCertificates) + " blocks");
    }
    blocks.push_back({raw.name, DekOf(raw.header), std::move(*der)});
  }
  const auto whole = Incomplete({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!whole) return tl::unexpected(whole.error());
  return blocks;
}

KeyFileResult<Secret> DecryptPem(const LegacyLibrary& library, const PemBlock& block,
                                 const Secret& password) {
  const size_t comma = block.dek.find(',');
  const std::string name = block.dek.substr(0, comma);
  const auto iv = comma == std::string::npos ? Result<std::vector<uint8_t>>(std::vector<uint8_t>())
                                             : ParseHex(block.dek.substr(comma + 1));
  if (std::find(kCiphers.begin(), kCiphers.end(), name) == kCiphers.end()) {
    return FailKeyFile(KeyFileDefect::kUnsupported,
                       "its DEK-Info names no cipher that is known here");
  }
  const CipherPtr cipher = library.Cipher(name.c_str());
  const DigestPtr md5 = library.Digest("MD5");
  if (cipher == nullptr || md5 == nullptr) {
    return FailKeyFile(KeyFileDefect::kUnsupported, name + ": " + library.Missing());
  }
  const auto iv_size = static_cast<size_t>(EVP_CIPHER_get_iv_length(cipher.get()));
  if (!iv || iv->size() != iv_size || iv_size < 8) {
    return FailKeyFile(KeyFileDefect::kDamaged, "its DEK-Info has an IV of another size");
  }
  const token::Bytes in = block.der.Expose();
  const auto secret = password.Expose();
  auto key = Secret::Allocate(EVP_MAX_KEY_LENGTH);
  auto plain = Secret::Allocate(in.size() + EVP_MAX_BLOCK_LENGTH);
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int size = 0;
  int rest = 0;
  const bool good =
      key && plain && ctx != nullptr &&
      EVP_BytesToKey(cipher.get(), md5.get(), iv->data(), secret.data(),
                     static_cast<int>(secret.size()), 1, key->Buffer().data(), nullptr) > 0 &&
      EVP_DecryptInit_ex(ctx.get(), cipher.get(), nullptr, key->Expose().data(), iv->data()) == 1 &&
      EVP_DecryptUpdate(ctx.get(), plain->Buffer().data(), &size, in.data(),
                        static_cast<int>(in.size())) == 1 &&
      EVP_DecryptFinal_ex(ctx.get(), plain->Buffer().data() + size, &rest) == 1;
  ERR_clear_error();
  if (!good) return WrongPassword();
  plain->SetSize(static_cast<size_t>(size) + static_cast<size_t>(rest));
  return std::move(*plain);
}

}  // namespace keybroker::backup
