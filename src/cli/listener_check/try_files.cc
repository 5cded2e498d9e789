#include "cli/listener_check/try_files.h"

#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "cli/layout.h"
#include "cli/listener_check/named_in_files.h"
#include "cli/openssl_says.h"
#include "cli/token_child.h"
#include "keybroker/base/file.h"
#include "keybroker/base/process.h"
#include "keybroker/credential/reference.h"
#include "keybroker/ipc/directory.h"

namespace keybroker::cli {
namespace {

constexpr unsigned kTrialSeconds = 60;  // for all that a listener's files may do

constexpr char kGood[] =
    "gives the key, and it signs: a server without the key does not use this file, or read it "
    "before it was written, or has another OPENSSL_CONF";

// What a TLS 1.3 server signs (RFC 8446 section 4.4.3), so that every binding's mechanisms fit.
std::string CertificateVerify() {
  return std::string(64, ' ') + "TLS 1.3, server CertificateVerify" + std::string(1, '\0') +
         std::string(32, '\x5a');
}

bool Signs(EVP_PKEY* key) {
  const std::string message = CertificateVerify();
  std::array<unsigned char, 1024> signature;
  size_t size = signature.size();
  EVP_PKEY_CTX* parameters = nullptr;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  const bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  return EVP_DigestSignInit(context.get(), &parameters, EVP_sha256(), nullptr, key) == 1 &&
         (!rsa || (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
         EVP_DigestSign(context.get(), signature.data(), &size,
                        reinterpret_cast<const unsigned char*>(message.data()),
                        message.size()) == 1;
}

// Trial is one reference and what it is used with.
struct Trial {
  std::filesystem::path configuration;
  std::filesystem::path file;
  KeyTarget target;
};

// UriIn is the URI of a file for pkcs11-provider: DER, with it at the end.
std::string UriIn(const std::string& text) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  long size = 0;
  if (PEM_read_bio(in.get(), &name, &header, &der, &size) != 1) return {};
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(der);
  return bytes;
}

// ByProvider says why pkcs11-provider gave no key; OpenSSL's own words are the same for all of it.
std::string ByProvider(const std::string& said, const Trial& trial, const std::string& text) {
  if (std::string problem = ProblemOfUris(UriIn(text), {trial.target}); !problem.empty()) {
    return problem;
  }
  const auto configuration = ReadFile(trial.configuration);
  if (!configuration) return configuration.error().detail;
  const std::string module = FieldOf(*configuration, "pkcs11-module-path", '=');
  if (std::string problem = ProblemOfPath(module); !problem.empty()) return problem;
  if (OSSL_PROVIDER_available(nullptr, "pkcs11") != 1) {
    return "pkcs11-provider is not loaded: install it, and correct \"module =\" in " +
           trial.configuration.string() + " (" + said + ")";
  }
  return "the key is not found, the listener is refused, or the broker is away: `keybroker status` "
         "(" +
         said + ")";
}

// Because says what OpenSSL cannot: whether the file is a reference at all.
std::string Because(const std::string& said, const Trial& trial) {
  const auto text = ReadFile(trial.file);
  if (!text) return said + "; " + text.error().detail;
  if (text->starts_with("-----BEGIN PKCS#11 PROVIDER URI-----")) {
    return ByProvider(said, trial, *text);
  }
  if (text->find("-----BEGIN PRIVATE KEY-----") == std::string::npos) return said;
  const auto reference = credential::ParseReferenceFile(*text);
  if (reference) return said;
  return "it is no reference of keybroker: " + reference.error().detail + " (" + said + ")";
}

// Use is empty when the reference gives a key that signs. Whoever could change what is loaded would
// have his own code run as the user that this process is.
std::string Use(const Trial& trial) {
  for (const auto& loaded : {trial.configuration, trial.file}) {
    if (const Status safe = ipc::CheckSafeFile(loaded); !safe) {
      return "left out, nothing was loaded: " + safe.error().detail;
    }
  }
  ERR_clear_error();
  if (CONF_modules_load_file(trial.configuration.c_str(), nullptr, 0) != 1) return OpenSslSays();
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_file(trial.file.c_str(), "r"),
                                                     BIO_free);
  if (!in) return OpenSslSays();
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!key) return Because(OpenSslSays(), trial);
  return Signs(key.get()) ? std::string() : OpenSslSays();
}

// A user of any name may be root.
bool IsRoot(const std::string& name) {
  const auto user = FindUser(name);
  return user && user->uid == 0;
}

std::string Plain(std::string_view said) {
  constexpr size_t kMost = 600;
  std::string text(said.substr(0, kMost));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

std::string SigningUser(const policy::Listener& listener) {
  for (const std::string& user : listener.users) {
    if (!IsRoot(user)) return user;
  }
  return "root";
}

std::vector<TriedFile> TryFiles(const std::filesystem::path& wanted,
                                const policy::Listener& listener,
                                const std::vector<KeyTarget>& targets) {
  std::vector<TriedFile> all;
  std::error_code error;
  const auto directory = std::filesystem::absolute(wanted, error);
  const auto configuration = directory / "openssl.cnf";
  if (!std::filesystem::exists(configuration, error)) return all;
  for (const KeyTarget& target : targets) {
    TriedFile tried;
    tried.file = directory / ReferenceFileName(target.name, target.type);
    tried.user = SigningUser(listener);
    if (!std::filesystem::exists(tried.file, error)) continue;
    const auto used = RunAsUser(tried.user, {}, [&](const std::vector<Secret>&) -> Result<Json> {
      ::alarm(kTrialSeconds);
      return Json{{"text", Use({configuration, tried.file, target})}};
    });
    // The process that said it had the files' own libraries in it.
    tried.text = Plain(used ? GetText(*used, "text") : used.error().detail);
    tried.good = tried.text.empty();
    if (tried.good) tried.text = kGood;
    all.push_back(std::move(tried));
  }
  return all;
}

}  // namespace keybroker::cli
