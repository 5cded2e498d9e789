#include <openssl/err.h>
#include <openssl/evp.h>

#include <string>

#include "backup/check_identity.h"
#include "backup/cms/read_cms.h"
#include "backup/openssl.h"
#include "backup/outline.h"
#include "backup/read_pbes2.h"
#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {
namespace {

// Bags is what the file's safes hold, all of them unencrypted.
struct Bags {
  std::vector<BagsPtr> owners;
  std::vector<const PKCS12_SAFEBAG*> all;
  bool encrypted_safe = false;
};

Bags Unpack(const PKCS12* file) {
  Bags bags;
  const SafesPtr safes(PKCS12_unpack_authsafes(file));
  for (int i = 0; safes != nullptr && i < sk_PKCS7_num(safes.get()); ++i) {
    BagsPtr owner(PKCS12_unpack_p7data(sk_PKCS7_value(safes.get(), i)));
    if (owner == nullptr) {
      bags.encrypted_safe = true;
      continue;
    }
    for (int at = 0; at < sk_PKCS12_SAFEBAG_num(owner.get()); ++at) {
      bags.all.push_back(sk_PKCS12_SAFEBAG_value(owner.get(), at));
    }
    bags.owners.push_back(std::move(owner));
  }
  return bags;
}

// Attribute is the one value of a bag's attribute, or nullptr.
const ASN1_TYPE* Attribute(const PKCS12_SAFEBAG* bag, const ASN1_OBJECT* name) {
  const STACK_OF(X509_ATTRIBUTE)* list = PKCS12_SAFEBAG_get0_attrs(bag);
  const int at = list == nullptr ? -1 : X509at_get_attr_by_OBJ(list, name, -1);
  if (at < 0 || X509at_get_attr_by_OBJ(list, name, at) >= 0) return nullptr;
  X509_ATTRIBUTE* attribute = X509at_get_attr(list, at);
  return X509_ATTRIBUTE_count(attribute) == 1 ? X509_ATTRIBUTE_get0_type(attribute, 0) : nullptr;
}

std::string StringOf(const ASN1_TYPE* value, int type) {
  if (value == nullptr || value->type != type) return {};
  const ASN1_STRING* text = value->value.asn1_string;
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

// ManifestOf passes over a description that somebody else wrote.
std::string ManifestOf(const PKCS12_SAFEBAG* bag) {
  const ObjectPtr name(OBJ_txt2obj(kManifestOid, 1));
  if (name == nullptr) return {};
  std::string text = StringOf(Attribute(bag, name.get()), V_ASN1_UTF8STRING);
  return text.starts_with(kManifestBegin) ? text : std::string();
}

bool FitsNames(const PKCS12_SAFEBAG* bag, const Manifest& manifest) {
  const std::string id = StringOf(Attribute(bag, OBJ_nid2obj(NID_localKeyID)), V_ASN1_OCTET_STRING);
  const std::string name =
      StringOf(Attribute(bag, OBJ_nid2obj(NID_friendlyName)), V_ASN1_BMPSTRING);
  std::string wanted;  // key names are ASCII
  for (const char c : manifest.name) wanted += std::string(1, '\0') + c;
  return name == wanted && id == std::string(manifest.id.begin(), manifest.id.end());
}

FileResult<void> ReadKey(const PKCS12_SAFEBAG* bag, Backup* backup) {
  auto manifest = ParseManifest(ManifestOf(bag));
  if (!manifest) return tl::unexpected(manifest.error());
  backup->manifest = std::move(*manifest);
  if (!FitsNames(bag, backup->manifest))
    return OddFile("the key bag's names are not the manifest's");
  const X509_ALGOR* algorithm = nullptr;
  const ASN1_OCTET_STRING* octets = nullptr;
  X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, &octets);
  const auto size = static_cast<size_t>(ASN1_STRING_length(octets));
  if (size < 16 || size % 8 != 0) return OddFile("the wrapped key's length fits no encryption");
  const uint8_t* data = ASN1_STRING_get0_data(octets);
  backup->key.bytes.assign(data, data + size);
  return ReadPbes2(*algorithm, backup);
}

FileResult<void> ReadCertificate(const PKCS12_SAFEBAG* bag, Backup* backup) {
  if (PKCS12_SAFEBAG_get_nid(bag) != NID_certBag || backup->chain.size() == kMaxChain) {
    return OddFile("it holds something that no backup holds");
  }
  const X509Ptr x509(PKCS12_SAFEBAG_get1_cert(bag));
  uint8_t* der = nullptr;
  const int size = x509 == nullptr ? 0 : i2d_X509(x509.get(), &der);
  if (size <= 0) return OddFile("a certificate does not parse");
  auto certificate = credential::ParseCertificate({der, static_cast<size_t>(size)});
  OPENSSL_free(der);
  if (!certificate) return OddFile("a certificate does not parse");
  if (backup->chain.empty() && !FitsNames(bag, backup->manifest)) {
    return OddFile("the certificate bag's names are not the manifest's");
  }
  backup->chain.push_back(std::move(*certificate));
  return {};
}

FileResult<void> ReadBags(const Bags& bags, Backup* backup) {
  const PKCS12_SAFEBAG* key = nullptr;
  size_t keys = 0;
  for (const PKCS12_SAFEBAG* bag : bags.all) {
    if (PKCS12_SAFEBAG_get_nid(bag) != NID_pkcs8ShroudedKeyBag) continue;
    ++keys;
    if (!ManifestOf(bag).empty()) key = bag;
  }
  if (key == nullptr) {
    return FailFile(Defect::kNotABackup,
                    "it is a PKCS#12 file, but not one that keybroker wrote, or a damaged one: it "
                    "has no manifest");
  }
  if (keys != 1 || bags.encrypted_safe) return OddFile("it holds something that no backup holds");
  auto read = ReadKey(key, backup);
  for (const PKCS12_SAFEBAG* bag : bags.all) {
    if (read && bag != key) read = ReadCertificate(bag, backup);
  }
  if (!read) return read;
  return CheckIdentity(*backup);
}

FileResult<uint32_t> ReadMacIterations(const PKCS12* file) {
  const ASN1_OCTET_STRING* mac = nullptr;
  const X509_ALGOR* digest = nullptr;
  const ASN1_OCTET_STRING* salt = nullptr;
  const ASN1_INTEGER* iterations = nullptr;
  PKCS12_get0_mac(&mac, &digest, &salt, &iterations, file);
  // The parameters are outside what the MAC covers: only the one spelling is taken.
  if (mac == nullptr || OBJ_obj2nid(digest->algorithm) != NID_sha256 ||
      digest->parameter == nullptr || digest->parameter->type != V_ASN1_NULL) {
    return OddFile("it has no MAC by SHA-256");
  }
  if (static_cast<size_t>(ASN1_STRING_length(salt)) > kMaxSalt) {
    return FailFile(Defect::kOverCap, "its MAC's salt is longer than 64 bytes");
  }
  return ReadCount(iterations, kMaxMacIterations, "MAC iterations");
}

FileResult<Pkcs12Ptr> Parse(std::string_view bytes) {
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  Pkcs12Ptr file(d2i_PKCS12(nullptr, &at, static_cast<long>(bytes.size())));
  uint8_t* der = nullptr;
  const int size = file == nullptr ? 0 : i2d_PKCS12(file.get(), &der);
  const bool same = size > 0 && bytes == std::string_view(reinterpret_cast<const char*>(der),
                                                          static_cast<size_t>(size));
  OPENSSL_free(der);
  ERR_clear_error();
  if (!same) return OddFile("its PKCS#12 structure does not parse as DER");
  return file;
}

FileResult<Backup> Read(const PKCS12* file) {
  Backup backup;
  const auto iterations = ReadMacIterations(file);
  const auto read = ReadBags(Unpack(file), &backup);
  ERR_clear_error();
  if (!read) return tl::unexpected(read.error());
  if (!iterations) return tl::unexpected(iterations.error());
  backup.mac_iterations = *iterations;
  return backup;
}

}  // namespace

std::string_view FileFormatName(FileFormat format) {
  return format == FileFormat::kPkcs12 ? "pkcs12" : "cms";
}

FileResult<FileFormat> FormatOf(std::string_view bytes) { return CheckOutline(bytes); }

FileResult<Backup> ReadBackup(std::string_view bytes) {
  const auto format = CheckOutline(bytes);
  if (!format) return tl::unexpected(format.error());
  if (*format == FileFormat::kCms) return ReadCms(bytes);
  const auto file = Parse(bytes);
  if (!file) return tl::unexpected(file.error());
  return Read(file->get());
}

FileResult<Backup> OpenBackup(std::string_view bytes, const Secret& password) {
  const auto format = CheckOutline(bytes);
  if (!format) return tl::unexpected(format.error());
  if (*format == FileFormat::kCms) {
    return FailFile(Defect::kNotABackup, "it has no password: a recovery key opens it");
  }
  const auto file = Parse(bytes);
  if (!file) return tl::unexpected(file.error());
  auto backup = Read(file->get());
  if (!backup) return backup;
  const auto secret = password.Expose();
  if (PKCS12_verify_mac(file->get(), reinterpret_cast<const char*>(secret.data()),
                        static_cast<int>(secret.size())) != 1) {
    ERR_clear_error();
    return FailFile(Defect::kPassword,
                    "the MAC does not fit: the password is wrong, or the file was changed; the "
                    "format cannot tell which");
  }
  return backup;
}

}  // namespace keybroker::backup
