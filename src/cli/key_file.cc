#include "cli/key_file.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <utility>

#include "cli/token_child.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/process.h"
#include "keybroker/token/import_key.h"

namespace keybroker::cli {
namespace {

using backup::ForeignKey;
using backup::KeyFileDefect;
using backup::KeyFileError;

// The user nobody, by number: there need be no account.
constexpr char kNobody[] = "65534";

constexpr rlim_t kCpuSeconds = 60;               // the caps on key derivation end long before
constexpr size_t kSecureHeap = size_t{4} << 20;  // for OpenSSL's private numbers

// AllowLocking lets the child lock all of its memory, where we may (CAP_SYS_RESOURCE).
void AllowLocking() {
  const rlimit everything{RLIM_INFINITY, RLIM_INFINITY};
  static_cast<void>(::setrlimit(RLIMIT_MEMLOCK, &everything));
}

// Confine is the child's own: undumpable again after the change of user, and locked if it may be.
Result<bool> Confine() {
  KB_TRY(HardenProcess());
  const rlimit cpu{kCpuSeconds, kCpuSeconds};
  static_cast<void>(::setrlimit(RLIMIT_CPU, &cpu));
  rlimit lock{};
  const bool locked = ::getrlimit(RLIMIT_MEMLOCK, &lock) == 0 && lock.rlim_cur == RLIM_INFINITY &&
                      ::mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
  static_cast<void>(CRYPTO_secure_malloc_init(kSecureHeap, 64));
  return locked;
}

Json Pack(const ForeignKey& found, const std::vector<token::WrappedKey>& forms) {
  Json json{{"format", backup::KeyFileFormatName(found.format)},
            {"protection", found.protection},
            {"type", cryptoki::KeyTypeName(found.type)},
            {"bits", found.bits},
            {"spki", Hex(found.spki)},
            {"notes", found.notes},
            {"chain", Json::array()},
            {"forms", Json::array()}};
  for (const auto& certificate : found.chain) json["chain"].push_back(Hex(certificate.der));
  for (const auto& form : forms) {
    json["forms"].push_back({{"iv", Hex(form.iv)}, {"bytes", Hex(form.bytes)}});
  }
  return json;
}

Result<Json> InChild(const std::vector<Secret>& secrets, bool allow_weak) {
  KB_ASSIGN(const bool locked, Confine());
  const Secret* password = secrets.size() > 2 ? &secrets[2] : nullptr;
  auto found = backup::ReadKeyFile(secrets[0].Expose(), password, allow_weak);
  if (!found) {
    return Json{{"defect", static_cast<int>(found.error().defect)},
                {"detail", found.error().detail}};
  }
  if (!locked) {
    found->notes.push_back(
        "not all memory that held the key could be locked (RLIMIT_MEMLOCK cannot be raised here): "
        "it "
        "may have been swapped to the disk");
  }
  KB_ASSIGN(const auto forms, token::WrapForImport(secrets[1], found->pkcs8));
  return Pack(*found, forms);
}

Error Misfit() {
  return Internal("the process that read the file gave an answer that does not fit");
}

Result<std::vector<token::WrappedKey>> UnpackForms(const Json& json) {
  std::vector<token::WrappedKey> forms;
  for (const auto algorithm :
       {token::WrapAlgorithm::kAesKeyWrapPad, token::WrapAlgorithm::kAesCbcPad}) {
    if (!json.is_array() || json.size() <= forms.size()) return Fail(Misfit());
    const Json& form = json[forms.size()];
    KB_ASSIGN(auto iv, ParseHex(GetText(form, "iv")));
    KB_ASSIGN(auto bytes, ParseHex(GetText(form, "bytes")));
    forms.push_back({algorithm, std::move(iv), std::move(bytes)});
  }
  return forms;
}

std::vector<std::string> Texts(const Json& json, const char* field) {
  std::vector<std::string> texts;
  for (const Json& each : json.value(field, Json::array())) {
    if (each.is_string()) texts.push_back(each.get<std::string>());
  }
  return texts;
}

Result<KeyFile> Unpack(const Json& json) {
  KeyFile file;
  file.format = GetText(json, "format");
  file.protection = GetText(json, "protection");
  file.bits = static_cast<uint32_t>(GetNumber(json, "bits"));
  file.notes = Texts(json, "notes");
  const auto type = cryptoki::ParseKeyType(GetText(json, "type"));
  if (!type || !json.contains("forms")) return Fail(Misfit());
  file.key.type = *type;
  KB_ASSIGN(file.key.spki, ParseHex(GetText(json, "spki")));
  KB_ASSIGN(file.key.id, token::SubjectKeyId(file.key.spki));
  KB_ASSIGN(file.forms, UnpackForms(json["forms"]));
  for (const std::string& hex : Texts(json, "chain")) {
    KB_ASSIGN(const auto der, ParseHex(hex));
    KB_ASSIGN(auto certificate, credential::ParseCertificate(der));
    file.key.chain.push_back(std::move(certificate));
  }
  if (!file.key.chain.empty() && file.key.chain[0].spki != file.key.spki) return Fail(Misfit());
  return file;
}

}  // namespace

Result<backup::KeyFileResult<KeyFile>> OpenKeyFile(const KeyFileRequest& request) {
  AllowLocking();
  std::vector<const Secret*> secrets{&request.bytes, &request.kek};
  if (request.password != nullptr) secrets.push_back(request.password);
  KB_ASSIGN(const Json json, RunAsUser(
                                 kNobody, secrets,
                                 [&](const std::vector<Secret>& received) {
                                   return InChild(received, request.allow_weak);
                                 },
                                 ChildKind::kFile));
  if (json.contains("defect")) {
    const auto defect = static_cast<KeyFileDefect>(GetNumber(json, "defect"));
    return backup::KeyFileResult<KeyFile>(
        tl::unexpected<KeyFileError>(KeyFileError{defect, GetText(json, "detail")}));
  }
  KB_ASSIGN(KeyFile file, Unpack(json));
  return backup::KeyFileResult<KeyFile>(std::move(file));
}

}  // namespace keybroker::cli
