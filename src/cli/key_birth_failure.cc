#include "cli/key_birth_failure.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/answer.h"
#include "cli/token_leftovers.h"
#include "keybroker/base/joined.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/token/key_pair.h"
#include "keybroker/token/leftovers.h"

namespace keybroker::cli {
namespace {

using token::Attributes;

using Leftovers = std::vector<token::Leftover>;

// MayBeIt counts private key objects that are of the key's CKA_ID, or of none, and may hold a key.
Result<size_t> MayBeIt(const token::Session& session, token::Bytes id, const Leftovers& empty) {
  KB_ASSIGN(const auto objects,
            session.Find(std::move(Attributes().AddUlong(CKA_CLASS, CKO_PRIVATE_KEY))));
  size_t count = 0;
  for (const CK_OBJECT_HANDLE object : objects) {
    KB_ASSIGN(const auto own, session.Read(object, CKA_ID));
    const bool other =
        own && !own->empty() && !std::equal(own->begin(), own->end(), id.begin(), id.end());
    const bool holds_none = std::any_of(
        empty.begin(), empty.end(), [object](const auto& each) { return each.object == object; });
    count += other || holds_none ? 0 : 1;
  }
  return count;
}

// RemovePublic removes the half that goes onto a token first.
Result<size_t> RemovePublic(const token::Session& session, token::Bytes id) {
  Attributes match;
  match.AddUlong(CKA_CLASS, CKO_PUBLIC_KEY).Add(CKA_ID, id);
  KB_ASSIGN(const auto objects, session.Find(match));
  for (const CK_OBJECT_HANDLE object : objects) KB_TRY(session.Destroy(object));
  return objects.size();
}

// Look runs in the token's process: "there", "unclear" (how many private keys may be it), "removed"
// and "left" (sentences).
Result<Json> Look(LoggedIn& token, const backup::Manifest& manifest) {
  KB_ASSIGN(const auto removed, token::RemoveLeftoversOf(token.session, manifest.id));
  KB_ASSIGN(const auto keys, token::ListKeys(token.session));
  KB_ASSIGN(const auto left, token::FindLeftovers(token.session));
  const bool there = std::any_of(keys.keys.begin(), keys.keys.end(),
                                 [&](const auto& key) { return key.spki == manifest.spki; });
  Json json{{"there", there},
            {"unclear", 0},
            {"removed", LeftoversJson(removed)},
            {"left", LeftoversJson(left)}};
  if (there) return json;
  KB_ASSIGN(const size_t unclear, MayBeIt(token.session, manifest.id, left));
  json["unclear"] = unclear;
  if (unclear > 0) return json;
  // The key was made for this command: nobody else has a public half of it.
  KB_ASSIGN(const size_t halves, RemovePublic(token.session, manifest.id));
  if (halves > 0) json["removed"].push_back("the key's public half");
  return json;
}

std::string Listed(const Json& sentences) {
  std::vector<std::string> all;
  for (const Json& each : sentences) {
    if (each.is_string()) all.push_back(each.get<std::string>());
  }
  return Joined(all);
}

// FoundText says what the look found beside the key.
std::string FoundText(const Json& seen, const std::string& token) {
  std::string text;
  if (const std::string removed = Listed(seen["removed"]); !removed.empty()) {
    text += ". Removed from the token: " + removed;
  }
  if (const std::string left = Listed(seen["left"]); !left.empty()) {
    text += ". The token also has what this or another command left: " + left +
            "; `keybroker token tidy " + ShellQuote(token) + "` shows and removes it";
  }
  return text;
}

// KeptText says of a file that stays why, and what to do with it.
std::string KeptText(const std::string& path, const std::string& because) {
  return ". The backup file " + path + " was kept, because " + because;
}

std::string Restore(const std::string& path) {
  return "`keybroker backup restore " + ShellQuote(path) + "` puts the key there, unless it is";
}

std::string NotSeen(const std::string& path, const std::string& token, const Error& error) {
  return KeptText(path, "whether the token has its key, or half of it, cannot be seen (" +
                            error.detail + "). Once the token goes again: " + Restore(path) +
                            "; `keybroker doctor` and `keybroker token tidy " + ShellQuote(token) +
                            "` find what else was left there");
}

}  // namespace

Error WithoutFile(ExportJob& job, Error error) {
  const Status removed = RemoveJob(&job);
  error.detail += removed ? ". The backup file was removed again: its key was nowhere else"
                          : ". " + removed.error().detail + ", whose key is nowhere else";
  return error;
}

Error NotBorn(const TokenAccess& access, ExportJob& job, Error error) {
  const std::string path = job.path.string();
  const std::string& token = access.config().name;
  const auto& manifest = job.subject.manifest;
  const auto seen = access.Run(true, [&](LoggedIn& to) { return Look(to, manifest); });
  if (!seen || !seen->is_object() || !seen->contains("removed") || !seen->contains("left")) {
    error.detail += NotSeen(path, token, seen ? Internal("its answer does not fit") : seen.error());
    return error;
  }
  if (GetBool(*seen, "there")) {
    error.detail += KeptText(path, "the token has its key. `keybroker drill " + ShellQuote(path) +
                                       "` proves it and puts it on record. To begin anew, delete "
                                       "the key (`keybroker key delete`) and the file");
  } else if (GetNumber(*seen, "unclear") != 0) {
    error.detail +=
        KeptText(path, "the token has a private key object that may be its key. " + Restore(path));
  } else {
    error = WithoutFile(job, std::move(error));
    error.detail += ". The token was looked at: it has no object of that key";
  }
  error.detail += FoundText(*seen, token);
  return error;
}

}  // namespace keybroker::cli
