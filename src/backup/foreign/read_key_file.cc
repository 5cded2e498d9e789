#include <openssl/err.h>

#include <algorithm>
#include <string_view>

#include "backup/foreign/der.h"
#include "backup/foreign/failure.h"
#include "backup/foreign/find_chain.h"
#include "backup/foreign/kdf_cost.h"
#include "backup/foreign/key_manager.h"
#include "backup/foreign/pem.h"
#include "backup/foreign/pkcs12.h"
#include "backup/foreign/private_key.h"
#include "keybroker/credential/reference.h"

namespace keybroker::backup {
namespace {

using Certificates = std::vector<credential::Certificate>;

// KeyFileReader carries what all formats need.
struct KeyFileReader {
  const LegacyLibrary& library;
  const Secret* password;
  bool allow_weak;

  KeyFileResult<ForeignKey> KeyManager(const KeyManagerFile& file) const;
  KeyFileResult<ForeignKey> Pem(token::Bytes bytes) const;
  KeyFileResult<ForeignKey> Pkcs12(token::Bytes bytes) const;
  KeyFileResult<ForeignKey> Der(token::Bytes bytes) const;

 private:
  // Key takes what a decoder gave; after a decryption a key that does not parse is the password's.
  KeyFileResult<ForeignKey> Key(const EvpKey& key, ForeignKey found, bool decrypted = false) const;
  KeyFileResult<ForeignKey> EncryptedPkcs8(token::Bytes der) const;
  KeyFileResult<ForeignKey> Block(const PemBlock& block) const;
};

KeyFileResult<ForeignKey> KeyFileReader::Key(const EvpKey& key, ForeignKey found,
                                             bool decrypted) const {
  ERR_clear_error();
  if (key == nullptr && decrypted) return WrongPassword();
  if (key == nullptr) return FailKeyFile(KeyFileDefect::kDamaged, "its private key does not parse");
  const auto taken = TakeKey(library, key.get(), allow_weak, &found);
  if (!taken) return tl::unexpected(taken.error());
  return found;
}

KeyFileResult<ForeignKey> KeyFileReader::KeyManager(const KeyManagerFile& file) const {
  if (password == nullptr) return PasswordWanted();
  const auto opened = OpenKeyManager(library, file.ciphertext, *password);
  if (!opened) return tl::unexpected(opened.error());
  ForeignKey found;
  found.format = KeyFileFormat::kKeyManager;
  found.protection = opened->sgc ? "RC4, key by MD5 twice (SGC)" : "RC4, key by MD5";
  auto key = Key(DecodePkcs8(library, opened->pkcs8.Expose()), std::move(found), true);
  // RC4 without a MAC: that a wrong byte is the password's fault cannot be known, only guessed.
  if (!key && key.error().defect == KeyFileDefect::kDamaged) return WrongPassword();
  if (!key) return key;
  if (file.certificate_lost) {
    key->notes.push_back(
        "the file announces a certificate that does not parse: install it by "
        "`keybroker certificate install`");
  }
  if (file.certificate) FindChain({*file.certificate}, &*key);
  return key;
}

KeyFileResult<ForeignKey> KeyFileReader::EncryptedPkcs8(token::Bytes der) const {
  const uint8_t* at = der.data();
  const SigPtr sig(d2i_X509_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (sig == nullptr || at != der.data() + der.size()) {
    return FailKeyFile(KeyFileDefect::kDamaged, "its encrypted key does not parse");
  }
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(sig.get(), &algorithm, nullptr);
  KdfCost cost;
  if (const auto added = cost.Add(algorithm); !added) return tl::unexpected(added.error());
  if (password == nullptr) return PasswordWanted();
  ForeignKey found;
  found.protection = EncryptionName(algorithm);
  const auto secret = password->Expose();
  const Pkcs8Ptr info(PKCS8_decrypt_ex(sig.get(), reinterpret_cast<const char*>(secret.data()),
                                       static_cast<int>(secret.size()), library.get(), nullptr));
  if (info == nullptr && ERR_GET_REASON(ERR_peek_error()) == ERR_R_UNSUPPORTED) {
    return FailKeyFile(KeyFileDefect::kUnsupported,
                       "its " + found.protection + " cannot be undone: " + library.Missing());
  }
  return Key(DecodePkcs8(library, info.get()), std::move(found), true);
}

KeyFileResult<ForeignKey> KeyFileReader::Block(const PemBlock& block) const {
  if (block.name == "PRIVATE KEY") return Key(DecodePkcs8(library, block.der.Expose()), {});
  if (block.name == "ENCRYPTED PRIVATE KEY") return EncryptedPkcs8(block.der.Expose());
  const bool ec = block.name == "EC PRIVATE KEY";
  if (!ec && block.name != "RSA PRIVATE KEY") {
    return FailKeyFile(KeyFileDefect::kUnsupported,
                       "it holds a block \"" + block.name +
                           "\"; taken are PRIVATE KEY, ENCRYPTED PRIVATE KEY, RSA PRIVATE KEY and "
                           "EC PRIVATE KEY (ssh-keygen -p -m PKCS8 writes an OpenSSH key so)");
  }
  ForeignKey found;
  found.format = KeyFileFormat::kTraditional;
  if (block.dek.empty()) {
    return Key(DecodeTraditional(library, block.der.Expose(), ec), std::move(found));
  }
  if (password == nullptr) return PasswordWanted();
  const auto der = DecryptPem(library, block, *password);
  if (!der) return tl::unexpected(der.error());
  found.protection = block.dek.substr(0, block.dek.find(',')) + ", key by MD5";
  return Key(DecodeTraditional(library, der->Expose(), ec), std::move(found), true);
}

KeyFileResult<ForeignKey> KeyFileReader::Pem(token::Bytes bytes) const {
  const auto blocks = ReadPem(bytes);
  if (!blocks) return tl::unexpected(blocks.error());
  const PemBlock* block = nullptr;
  Certificates certificates;
  for (const PemBlock& each : *blocks) {
    if (!each.name.ends_with("PRIVATE KEY")) {
      auto certificate = credential::ParseCertificate(each.der.Expose());
      if (!certificate) {
        return FailKeyFile(KeyFileDefect::kDamaged, "a certificate in it does not parse");
      }
      certificates.push_back(std::move(*certificate));
    } else if (block != nullptr) {
      return FailKeyFile(KeyFileDefect::kUnsupported,
                         "it holds several private keys: put each into a file of its own");
    } else {
      block = &each;
    }
  }
  if (block == nullptr) {
    return FailKeyFile(KeyFileDefect::kNotAKeyFile, "it is PEM without a private key in it");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (block->name == "PRIVATE KEY" && credential::ParseReferenceFile(text)) {
    return FailKeyFile(KeyFileDefect::kUnsupported,
                       "it is a reference file of keybroker's: its key is on a token already");
  }
  auto found = Block(*block);
  if (found) FindChain(std::move(certificates), &*found);
  return found;
}

KeyFileResult<ForeignKey> KeyFileReader::Pkcs12(token::Bytes bytes) const {
  const auto content = OpenPkcs12(library, bytes, password);
  if (!content) return tl::unexpected(content.error());
  ForeignKey found;
  found.format = KeyFileFormat::kPkcs12;
  found.protection = content->protection;
  if (!content->has_mac) {
    found.notes.push_back("the file has no MAC: that nobody changed it cannot be seen");
  }
  auto key = Key(content->key, std::move(found));
  if (!key) return key;
  Certificates certificates;
  for (const auto& der : content->certificates) {
    auto certificate = credential::ParseCertificate(der);
    if (certificate) certificates.push_back(std::move(*certificate));
  }
  FindChain(std::move(certificates), &*key);
  return key;
}

// Der tells by the first elements within the outermost SEQUENCE what a file is.
KeyFileResult<ForeignKey> KeyFileReader::Der(token::Bytes bytes) const {
  DerReader outer(bytes);
  const auto whole = outer.NextOf(kDerSequence);
  if (!whole && outer.truncated()) {
    return FailKeyFile(KeyFileDefect::kTruncated, "it ends before its outermost element does");
  }
  if (whole && !outer.AtEnd()) {
    return FailKeyFile(KeyFileDefect::kDamaged, "something was put after its end");
  }
  const token::Bytes contents = whole ? whole->contents : bytes.subspan(2);  // indefinite length
  DerReader parts(contents);
  const auto first = parts.Next();
  const auto second = parts.Next();
  const bool number = first && first->tag == kDerInteger && first->contents.size() == 1;
  if (number && first->contents[0] == 3) return Pkcs12(bytes);
  if (first && first->tag == kDerSequence && second && second->tag == kDerOctetString) {
    return EncryptedPkcs8(bytes);
  }
  if (number && second && second->tag == kDerSequence) return Key(DecodePkcs8(library, bytes), {});
  ForeignKey found;
  found.format = KeyFileFormat::kTraditional;
  const bool ec = second && second->tag == kDerOctetString;
  if (number && (ec || (second && second->tag == kDerInteger))) {
    return Key(DecodeTraditional(library, bytes, ec), std::move(found));
  }
  return FailKeyFile(KeyFileDefect::kNotAKeyFile,
                     "it is DER, but neither PKCS#8, PKCS#12, an RSA or EC private key, nor a Key "
                     "Manager backup file");
}

}  // namespace

KeyFileResult<ForeignKey> ReadKeyFile(token::Bytes bytes, const Secret* password, bool allow_weak) {
  if (bytes.size() > kMaxKeyFile) {
    return FailKeyFile(KeyFileDefect::kNotAKeyFile, "it is larger than any key file (1 MiB)");
  }
  const LegacyLibrary library;
  if (!library.good()) return FailKeyFile(KeyFileDefect::kUnsupported, library.Missing());
  const KeyFileReader reader{library, password, allow_weak};
  const auto key_manager = FindKeyManager(bytes);
  if (key_manager && *key_manager) return reader.KeyManager(**key_manager);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.find("-----BEGIN ") != std::string_view::npos) return reader.Pem(bytes);
  if (!key_manager) return tl::unexpected(key_manager.error());
  if (bytes.empty()) return FailKeyFile(KeyFileDefect::kTruncated, "it is empty");
  if (bytes[0] == kDerSequence) return reader.Der(bytes);
  return FailKeyFile(KeyFileDefect::kNotAKeyFile,
                     "it is neither PEM nor DER, and no key of a Key Manager backup file is in it");
}

}  // namespace keybroker::backup
