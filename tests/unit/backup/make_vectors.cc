// Writes tests/vectors/backup anew, with new throw-away keys: make_backup_vectors DIRECTORY. For a
// new format version; the files of the older ones stay.
#include <openssl/rand.h>

#include <cstdio>
#include <functional>
#include <string>

#include "keybroker/token/host_wrap.h"
#include "unit/backup/key_manager_file.h"
#include "unit/backup/sample.h"
#include "unit/backup/vector_writer.h"

namespace keybroker::backup::test {
namespace {

using credential::test::Issue;
using credential::test::TestKey;
using token::WrapAlgorithm;

std::string Pkcs8(const TestKey& key) {
  PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key.pkey());
  uint8_t* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
  PKCS8_PRIV_KEY_INFO_free(info);
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

Backup Whole(const TestKey& key, WrapAlgorithm algorithm) {
  const TestKey ca_key = TestKey::Ec();
  const auto ca = Issue({.subject = "Test CA", .is_ca = true}, ca_key, nullptr, ca_key);
  Backup backup;
  backup.manifest = SampleManifest(key);
  backup.kdf = *NewKdf(600'000);
  backup.mac_iterations = 1'200'000;
  backup.chain = {Issue({.dns_names = {"mail.example.test"}}, key, &ca, ca_key), ca};
  backup.key.algorithm = algorithm;
  if (algorithm == WrapAlgorithm::kAesCbcPad) {
    backup.key.iv.resize(token::kCbcIvSize);
    RAND_bytes(backup.key.iv.data(), token::kCbcIvSize);
  }
  const auto kek = DeriveKek(*Secret::CopyFrom(std::string_view(kPassword)), backup.kdf);
  const std::string pkcs8 = Pkcs8(key);
  backup.key.bytes =
      *token::HostWrap(algorithm, *kek, backup.key.iv,
                       {reinterpret_cast<const uint8_t*>(pkcs8.data()), pkcs8.size()});
  return backup;
}

bool WriteGood(VectorWriter& out) {
  bool good = true;
  const auto add = [&](const std::string& name, const TestKey& key, WrapAlgorithm algorithm) {
    good &= out.Write(name, SampleFile(Whole(key, algorithm)), "good", SpkiHash(key));
  };
  add("rsa-2048.p12", TestKey::Rsa(), WrapAlgorithm::kAesKeyWrapPad);
  add("rsa-2048-cbc.p12", TestKey::Rsa(), WrapAlgorithm::kAesCbcPad);
  add("p-256.p12", TestKey::Ec(), WrapAlgorithm::kAesKeyWrapPad);
  add("p-256-cbc.p12", TestKey::Ec(), WrapAlgorithm::kAesCbcPad);
  add("p-384.p12", TestKey::Ec("P-384"), WrapAlgorithm::kAesKeyWrapPad);
  add("p-521.p12", TestKey::Ec("P-521"), WrapAlgorithm::kAesKeyWrapPad);
  return good;
}

bool WriteBad(VectorWriter& out) {
  const TestKey key = TestKey::Ec();
  const Backup backup = Whole(key, WrapAlgorithm::kAesKeyWrapPad);
  const std::string file = SampleFile(backup);
  bool good = out.Write("truncated.p12", file.substr(0, file.size() - 40), "truncated", "-");
  good &= out.Write("longer.p12", file + "x", "damaged", "-");
  std::string flipped = file;
  flipped[flipped.find("mail.example.test")] ^= 1;  // a certificate's or the manifest's
  good &= out.Write("flipped.p12", flipped, "damaged", "-");
  Backup wrong_key = backup;
  wrong_key.manifest = SampleManifest(TestKey::Ec());
  good &= out.Write("swapped-manifest.p12", SampleFile(wrong_key), "damaged", "-");
  good &=
      out.Write("newer.p12", Edit(file, "\"version\":1", "\"version\":2"), "newer-version", "-");
  Backup dear = backup;
  dear.kdf.iterations = 0x7fffffff;
  good &= out.Write("iterations-2-31.p12", SampleFile(dear), "over-cap", "-");
  std::string mac = file;
  mac[file.find(std::string("\x04\x20", 2), file.size() - 80) + 2] ^= 1;
  good &= out.Write("mac.p12", mac, "wrong-password-or-damaged", "-");
  return good;
}

bool WriteKeyManager(VectorWriter& out) {
  const TestKey key = TestKey::Rsa(2048);
  KeyManagerSpec spec;
  spec.pkcs8 = Pkcs8(key);
  spec.password = kPassword;
  const auto der = Issue({.dns_names = {"mail.example.test"}}, key, nullptr, key).der;
  bool good = out.Write("key-manager.key", WriteKeyManagerFile(spec), "key-manager", SpkiHash(key));
  spec.sgc = true;
  spec.certificate.assign(der.begin(), der.end());
  spec.before = "some other data";
  good &= out.Write("key-manager-sgc.key", WriteKeyManagerFile(spec), "key-manager", SpkiHash(key));
  return good;
}

int Make(const std::string& directory) {
  VectorWriter out{directory, ""};
  const bool good = WriteGood(out) && WriteBad(out) && WriteKeyManager(out) &&
                    WriteCmsVectors(out) &&
                    WriteFileAtomically(directory + "/expected", out.list).has_value();
  if (!good) std::fprintf(stderr, "not everything could be written in %s\n", directory.c_str());
  return good ? 0 : 1;
}

}  // namespace
}  // namespace keybroker::backup::test

int main(int argc, char** argv) {
  if (argc == 2) return keybroker::backup::test::Make(argv[1]);
  std::fputs("Usage: make_backup_vectors DIRECTORY\n", stderr);
  return 2;
}
