#include "backup/foreign/kdf_cost.h"

#include <string>

#include "backup/foreign/failure.h"

namespace keybroker::backup {
namespace {

using Failure = tl::unexpected<KeyFileError>;

Failure Odd() {
  return FailKeyFile(KeyFileDefect::kDamaged, "the parameters of its encryption do not parse");
}

Failure TooDear(const std::string& what) {
  return FailKeyFile(KeyFileDefect::kOverCap,
                     "its key derivation asks for " + what +
                         ", which would keep this machine busy for long; nothing was derived. If "
                         "the file is yours, write it anew with less");
}

std::string NameOf(const ASN1_OBJECT* object) {
  char text[80];
  const int nid = OBJ_obj2nid(object);
  if (nid != NID_undef) return OBJ_nid2sn(nid);
  return OBJ_obj2txt(text, sizeof text, object, 1) > 0 ? text : "an unknown algorithm";
}

template <typename Ptr>
Ptr Unpack(const ASN1_ITEM* item, const X509_ALGOR* algorithm) {
  if (algorithm->parameter == nullptr) return nullptr;
  return Ptr(
      static_cast<typename Ptr::pointer>(ASN1_TYPE_unpack_sequence(item, algorithm->parameter)));
}

KeyFileResult<void> CheckSalt(const ASN1_OCTET_STRING* salt) {
  if (salt == nullptr) return Odd();
  if (static_cast<size_t>(ASN1_STRING_length(salt)) > kMaxKeyFileSalt) {
    return TooDear("a salt of more than " + std::to_string(kMaxKeyFileSalt) + " bytes");
  }
  return {};
}

// Count reads an INTEGER of at least 1; what does not fit 64 bits is the largest there is.
KeyFileResult<uint64_t> Count(const ASN1_INTEGER* number) {
  uint64_t value = 0;
  if (number == nullptr || (ASN1_STRING_type(number) & V_ASN1_NEG) != 0) return Odd();
  if (ASN1_INTEGER_get_uint64(&value, number) != 1) return UINT64_MAX;
  if (value == 0) return Odd();
  return value;
}

}  // namespace

KeyFileResult<void> KdfCost::AddIterations(const ASN1_INTEGER* iterations) {
  const auto count = Count(iterations);
  if (!count) return tl::unexpected(count.error());
  if (*count > kMaxKeyFileIterations - iterations_) {
    return TooDear("more than " + std::to_string(kMaxKeyFileIterations) + " iterations");
  }
  iterations_ += *count;
  return {};
}

KeyFileResult<void> KdfCost::AddScrypt(const X509_ALGOR* algorithm) {
  const auto params = Unpack<ScryptPtr>(ASN1_ITEM_rptr(SCRYPT_PARAMS), algorithm);
  if (params == nullptr) return Odd();
  if (auto salt = CheckSalt(params->salt); !salt) return salt;
  uint64_t cost = 1;
  for (const ASN1_INTEGER* each :
       {params->costParameter, params->blockSize, params->parallelizationParameter}) {
    const auto count = Count(each);
    if (!count) return tl::unexpected(count.error());
    if (*count > kMaxScryptCost / cost)
      return TooDear("more memory and time of scrypt than is allowed");
    cost *= *count;
  }
  if (cost > kMaxScryptCost - scrypt_) return TooDear("scrypt too often");
  scrypt_ += cost;
  return {};
}

KeyFileResult<void> KdfCost::AddPbes2(const X509_ALGOR* algorithm) {
  const auto params = Unpack<Pbe2Ptr>(ASN1_ITEM_rptr(PBE2PARAM), algorithm);
  if (params == nullptr) return Odd();
  const int kdf = OBJ_obj2nid(params->keyfunc->algorithm);
  if (kdf == NID_id_scrypt) return AddScrypt(params->keyfunc);
  if (kdf != NID_id_pbkdf2) {
    return FailKeyFile(
        KeyFileDefect::kUnsupported,
        "its key derivation is none that is known here: " + NameOf(params->keyfunc->algorithm));
  }
  const auto pbkdf2 = Unpack<Pbkdf2Ptr>(ASN1_ITEM_rptr(PBKDF2PARAM), params->keyfunc);
  if (pbkdf2 == nullptr || pbkdf2->salt->type != V_ASN1_OCTET_STRING) return Odd();
  if (auto salt = CheckSalt(pbkdf2->salt->value.octet_string); !salt) return salt;
  return AddIterations(pbkdf2->iter);
}

KeyFileResult<void> KdfCost::Add(const X509_ALGOR* algorithm) {
  if (algorithm == nullptr || algorithm->algorithm == nullptr) return Odd();
  const int nid = OBJ_obj2nid(algorithm->algorithm);
  if (nid == NID_pbes2) return AddPbes2(algorithm);
  if (nid == NID_undef || EVP_PBE_find(EVP_PBE_TYPE_OUTER, nid, nullptr, nullptr, nullptr) != 1) {
    return FailKeyFile(KeyFileDefect::kUnsupported, "its encryption is none that is known here: " +
                                                        NameOf(algorithm->algorithm));
  }
  const auto params = Unpack<PbePtr>(ASN1_ITEM_rptr(PBEPARAM), algorithm);
  if (params == nullptr) return Odd();
  if (auto salt = CheckSalt(params->salt); !salt) return salt;
  return AddIterations(params->iter);
}

KeyFileResult<void> KdfCost::AddMac(const ASN1_OCTET_STRING* salt, const ASN1_INTEGER* iterations) {
  if (auto checked = CheckSalt(salt); !checked) return checked;
  if (iterations == nullptr) return {};
  return AddIterations(iterations);
}

std::string EncryptionName(const X509_ALGOR* algorithm) {
  if (OBJ_obj2nid(algorithm->algorithm) != NID_pbes2) return NameOf(algorithm->algorithm);
  const auto params = Unpack<Pbe2Ptr>(ASN1_ITEM_rptr(PBE2PARAM), algorithm);
  return params == nullptr ? "PBES2" : "PBES2 (" + NameOf(params->encryption->algorithm) + ")";
}

}  // namespace keybroker::backup
