#include "cli/backup_export_cms.h"

#include <algorithm>

#include "keybroker/backup/cms.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/sign_message.h"
#include "keybroker/token/recipient_wrap.h"

namespace keybroker::cli {
namespace {

using Recipients = std::vector<RecoveryCertificate>;

// CheckForCms refuses a key whose file nobody could verify, or only who has the key already open.
Status CheckForCms(const BackupSubject& subject, const Recipients& recipients) {
  const auto& manifest = subject.manifest;
  if (!subject.foreign_certificate.empty()) {
    return Fail(Conflict("a CMS backup is signed by the key with its certificate, and " +
                         ForeignText(subject) + ". --format pkcs12 needs none"));
  }
  if (subject.chain.empty()) {
    return Fail(
        Conflict("it has no certificate yet, and a CMS backup is signed by the key with "
                 "one: `keybroker certificate install " +
                 ShellQuote(manifest.name) + "` first, or --format pkcs12"));
  }
  const bool own = std::any_of(recipients.begin(), recipients.end(), [&](const auto& each) {
    return each.certificate.spki == manifest.spki;
  });
  if (!own) return {};
  return Fail(
      Conflict("one of the recovery certificates is of this very key: who has lost the key "
               "could not open its backup"));
}

backup::Backup PutTogether(const ExportJob& job, const Recipients& recipients,
                           const token::RecipientWrap& wrap) {
  backup::Backup backup;
  backup.format = backup::FileFormat::kCms;
  backup.manifest = job.subject.manifest;
  backup.chain = job.subject.chain;
  backup.key = wrap.key;
  backup.oaep = wrap.hash;
  for (size_t i = 0; i < recipients.size() && i < wrap.content_keys.size(); ++i) {
    backup.recipients.push_back({recipients[i].issuer_serial, wrap.content_keys[i]});
  }
  return backup;
}

Result<std::vector<uint8_t>> SignBackup(LoggedIn& token, const token::KeyPair& key,
                                        const backup::Backup& backup) {
  KB_ASSIGN(const std::string attributes, backup::CmsSignedAttributes(backup));
  const credential::Signer sign = [&](CK_MECHANISM_TYPE mechanism, token::Bytes data) {
    return token.session.Sign(key.private_key, mechanism, std::nullopt, data,
                              key.always_authenticate ? token.pin : nullptr);
  };
  const token::Bytes message(reinterpret_cast<const uint8_t*>(attributes.data()),
                             attributes.size());
  return credential::SignMessage({key.type, key.bits, key.spki}, message, sign);
}

Result<Json> WrapOne(LoggedIn& token, const token::KeyList& keys, const ExportJob& job,
                     const Recipients& recipients, const token::RecipientWay& way) {
  KB_ASSIGN(const token::KeyPair* key, KeyOfJob(keys, job));
  std::vector<std::vector<uint8_t>> spkis;
  for (const auto& each : recipients) spkis.push_back(each.certificate.spki);
  KB_ASSIGN(const auto wrap, token::WrapToRecipients(token.session, *key, spkis, way));
  KB_ASSIGN(const auto signature, SignBackup(token, *key, PutTogether(job, recipients, wrap)));
  Json json = WrappedJson(wrap.key);
  json["oaep"] = token::OaepHashName(wrap.hash);
  json["signature"] = Hex(signature);
  json["content_keys"] = Json::array();
  for (const auto& each : wrap.content_keys) json["content_keys"].push_back(Hex(each));
  return json;
}

Result<token::RecipientWrap> UnpackWrap(const Json& json) {
  token::RecipientWrap wrap;
  KB_ASSIGN(wrap.key, UnpackWrapped(json));
  const bool sha1 = GetText(json, "oaep") == token::OaepHashName(token::OaepHash::kSha1);
  wrap.hash = sha1 ? token::OaepHash::kSha1 : token::OaepHash::kSha256;
  const auto list = json.find("content_keys");
  if (list == json.end() || !list->is_array()) return Fail(Internal("no content keys"));
  for (const Json& each : *list) {
    KB_ASSIGN(auto bytes, ParseHex(each.is_string() ? each.get<std::string>() : std::string()));
    wrap.content_keys.push_back(std::move(bytes));
  }
  return wrap;
}

// Fill puts what the token's process gave into the job; the file's reader judges it.
Status Fill(const Json& json, const Recipients& recipients, ExportJob* job) {
  KB_ASSIGN(const auto wrap, UnpackWrap(json));
  job->backup = PutTogether(*job, recipients, wrap);
  KB_ASSIGN(job->backup.signature, ParseHex(GetText(json, "signature")));
  return {};
}

}  // namespace

Status WrapToCertificates(const TokenAccess& access, const ExportBatch& batch,
                          const Recipients& recipients,
                          std::optional<token::WrapAlgorithm> algorithm,
                          std::string* host_because) {
  ExportBatch good;
  for (ExportJob* job : batch) {
    job->done = CheckForCms(job->subject, recipients);
    if (job->done) good.push_back(job);
  }
  if (good.empty()) return {};
  KB_ASSIGN(const Json made, access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto way, token::ProbeRecipientWay(token.session, algorithm));
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    Json list = Json::array();
    for (const ExportJob* job : good) {
      const auto one = WrapOne(token, keys, *job, recipients, way);
      list.push_back(one ? *one : Json{{"error", one.error().detail}});
    }
    return Json{{"host_because", way.host_because}, {"keys", std::move(list)}};
  }));
  const auto list = made.find("keys");
  if (list == made.end() || !list->is_array() || list->size() != good.size()) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  *host_because = GetText(made, "host_because");
  for (size_t i = 0; i < good.size(); ++i) good[i]->done = Fill((*list)[i], recipients, good[i]);
  return {};
}

}  // namespace keybroker::cli
