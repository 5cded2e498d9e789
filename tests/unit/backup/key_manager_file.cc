#include "unit/backup/key_manager_file.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <utility>

namespace keybroker::backup::test {
namespace {

std::string Der(char tag, const std::string& contents) {
  std::string out(1, tag);
  const size_t size = contents.size();
  if (size >= 0x100) {
    out += {static_cast<char>(0x82), static_cast<char>(size >> 8), static_cast<char>(size & 0xff)};
  } else if (size >= 0x80) {
    out += {static_cast<char>(0x81), static_cast<char>(size)};
  } else {
    out += static_cast<char>(size);
  }
  return out + contents;
}

std::string Md5(const std::string& text) {
  unsigned char digest[16];
  if (EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_md5(), nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(digest), sizeof digest};
}

std::string Rc4(const std::string& key, std::string text) {
  std::array<uint8_t, 256> state{};
  for (size_t i = 0; i < 256; ++i) state[i] = static_cast<uint8_t>(i);
  uint8_t j = 0;
  for (size_t i = 0; i < 256; ++i) {
    j = static_cast<uint8_t>(j + state[i] + static_cast<uint8_t>(key[i % key.size()]));
    std::swap(state[i], state[j]);
  }
  uint8_t i = 0;
  j = 0;
  for (char& c : text) {
    ++i;
    j = static_cast<uint8_t>(j + state[i]);
    std::swap(state[i], state[j]);
    const uint8_t stream = state[static_cast<uint8_t>(state[i] + state[j])];
    c = static_cast<char>(static_cast<uint8_t>(c) ^ stream);
  }
  return text;
}

}  // namespace

std::string WriteKeyManagerFile(const KeyManagerSpec& spec) {
  using namespace std::string_literals;
  std::string key = Md5(spec.password);
  if (spec.sgc) key = Md5(key + "SGCKEYSALT");
  const std::string algorithm =
      Der('\x30', Der('\x06', "\x2a\x86\x48\x86\xf7\x0d\x03\x04"s) + Der('\x05', ""));
  const std::string encrypted = Der('\x30', algorithm + Der('\x04', Rc4(key, spec.pkcs8)));
  std::string file = spec.before + Der('\x30', Der('\x04', "private-key") + encrypted);
  if (!spec.certificate.empty()) {
    file += Der('\x30', Der('\x04', "certificate") + spec.certificate);
  }
  return file + spec.after;
}

}  // namespace keybroker::backup::test
