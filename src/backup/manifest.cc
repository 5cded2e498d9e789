#include "keybroker/backup/manifest.h"

#include <algorithm>
#include <optional>
#include "keybroker/base/json.h"

#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/utf8.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/listener.h"

namespace keybroker::backup {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "keybroker-backup";

// Printable makes what comes from a token a JSON string that anybody may print: what is not
// printable becomes "?".
std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t size = PrintableSequence(text);
    out += size == 0 ? std::string_view("?") : text.substr(0, size);
    text.remove_prefix(size == 0 ? std::max<size_t>(Utf8Sequence(text), 1) : size);
  }
  return out;
}

Json BindingsJson(const std::vector<ManifestBinding>& bindings) {
  Json list = Json::array();
  for (const ManifestBinding& binding : bindings) {
    Json mechanisms = Json::array();
    for (const std::string& each : binding.mechanisms) mechanisms.push_back(Printable(each));
    list.push_back({{"listener", binding.listener}, {"mechanisms", std::move(mechanisms)}});
  }
  return list;
}

// Reader takes fields; one that is missing or of another type leaves good false.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  std::string Text(const char* field) {
    const Json* value = Field(field);
    if (value == nullptr || !value->is_string()) return Bad<std::string>();
    return value->get<std::string>();
  }
  uint64_t Number(const char* field) {
    const Json* value = Field(field);
    if (value == nullptr || !value->is_number_unsigned()) return Bad<uint64_t>();
    return value->get<uint64_t>();
  }
  bool Bool(const char* field) {
    const Json* value = Field(field);
    if (value == nullptr || !value->is_boolean()) return Bad<bool>();
    return value->get<bool>();
  }
  std::vector<uint8_t> Bytes(const char* field) {
    auto bytes = ParseHex(Text(field));
    if (!bytes) return Bad<std::vector<uint8_t>>();
    return std::move(*bytes);
  }
  std::vector<std::string> Texts(const char* field) {
    std::vector<std::string> texts;
    for (const Json& each : List(field)) {
      if (!each.is_string()) return Bad<std::vector<std::string>>();
      texts.push_back(each.get<std::string>());
    }
    return texts;
  }
  const Json& List(const char* field) {
    static const Json none = Json::array();
    const Json* value = Field(field);
    if (value != nullptr && value->is_array()) return *value;
    good_ = false;
    return none;
  }
  Reader Object(const char* field) {
    static const Json none = Json::object();
    const Json* value = Field(field);
    return Reader(value != nullptr && value->is_object() ? *value : none);
  }

  bool good() const { return good_; }

 private:
  template <typename T>
  T Bad() {
    good_ = false;
    return T();
  }
  const Json* Field(const char* field) const {
    const auto found = json_.find(field);
    return found == json_.end() ? nullptr : &*found;
  }

  const Json& json_;
  bool good_ = true;
};

bool ReadBindings(Reader* reader, std::vector<ManifestBinding>* bindings) {
  for (const Json& each : reader->List("bindings")) {
    if (!each.is_object()) return false;
    Reader binding(each);
    bindings->push_back({binding.Text("listener"), binding.Texts("mechanisms")});
    if (!binding.good()) return false;
  }
  return true;
}

bool ReadToken(Reader reader, ManifestToken* token) {
  *token = {reader.Text("label"), reader.Text("manufacturer"), reader.Text("model"),
            reader.Text("serial"), reader.Text("firmware")};
  return reader.good();
}

// IsSensible: what no restore could use, or no host could have written, is damage like any other.
bool IsSensible(const Manifest& manifest) {
  return policy::CheckKeyName(manifest.name) && manifest.created <= kMaxCreated &&
         manifest.sequence >= 1 && manifest.sequence <= kMaxSequence &&
         std::all_of(manifest.bindings.begin(), manifest.bindings.end(), [](const auto& binding) {
           return config::CheckName("listener", binding.listener).has_value();
         });
}

std::optional<Manifest> Read(const Json& json) {
  Reader reader(json);
  Manifest manifest;
  manifest.name = reader.Text("name");
  const auto type = cryptoki::ParseKeyType(reader.Text("type"));
  const uint64_t bits = reader.Number("bits");
  const uint64_t created = reader.Number("created");
  manifest.id = reader.Bytes("id");
  manifest.spki = reader.Bytes("spki");
  manifest.current = reader.Bool("current");
  manifest.sequence = reader.Number("sequence");
  const bool parts = ReadBindings(&reader, &manifest.bindings) &&
                     ReadToken(reader.Object("token"), &manifest.token);
  if (!parts || !reader.good() || !type || bits > 65536 || created > INT64_MAX) return std::nullopt;
  manifest.type = *type;
  manifest.bits = static_cast<uint32_t>(bits);
  manifest.created = static_cast<int64_t>(created);
  return IsSensible(manifest) ? std::optional(std::move(manifest)) : std::nullopt;
}

}  // namespace

std::string FormatManifest(const Manifest& manifest) {
  const ManifestToken& token = manifest.token;
  const Json json{{"format", kFormat},
                  {"version", kManifestVersion},
                  {"name", manifest.name},
                  {"type", cryptoki::KeyTypeName(manifest.type)},
                  {"bits", manifest.bits},
                  {"id", Hex(manifest.id)},
                  {"spki", Hex(manifest.spki)},
                  {"current", manifest.current},
                  {"bindings", BindingsJson(manifest.bindings)},
                  {"token",
                   {{"label", Printable(token.label)},
                    {"manufacturer", Printable(token.manufacturer)},
                    {"model", Printable(token.model)},
                    {"serial", Printable(token.serial)},
                    {"firmware", Printable(token.firmware)}}},
                  {"created", manifest.created},
                  {"sequence", manifest.sequence}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

FileResult<Manifest> ParseManifest(std::string_view text) {
  if (text.size() > kManifestMaxSize) {
    return FailFile(Defect::kDamaged, "its manifest is longer than any that keybroker writes");
  }
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return FailFile(Defect::kDamaged, "its manifest does not parse");
  Reader head(json);
  const std::string format = head.Text("format");
  const uint64_t version = head.Number("version");
  if (!head.good() || format != kFormat) {
    return FailFile(Defect::kDamaged, "its manifest names no format and version");
  }
  if (version > kManifestVersion) {
    return FailFile(
        Defect::kNewerVersion,
        "it is of format version " + std::to_string(version) +
            ", and this program "
            "knows version " +
            std::to_string(kManifestVersion) +
            ": use a newer keybroker; openssl opens it meanwhile, as docs/recovery.md says");
  }
  auto manifest = Read(json);
  // One spelling only: whatever else is in there, nobody of ours wrote.
  if (!manifest || FormatManifest(*manifest) != text) {
    return FailFile(Defect::kDamaged, "its manifest is not as the format says");
  }
  return std::move(*manifest);
}

}  // namespace keybroker::backup
