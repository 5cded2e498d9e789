#include "backup/read_pbes2.h"

namespace keybroker::backup {
namespace {

tl::unexpected<FileError> Odd(const char* what) {
  return FailFile(Defect::kDamaged, std::string("its ") + what + " is not the format's");
}

bool Is(const X509_ALGOR* algorithm, int nid) {
  return algorithm != nullptr && OBJ_obj2nid(algorithm->algorithm) == nid;
}

FileResult<void> ReadPbkdf2(const X509_ALGOR& algorithm, Kdf* kdf) {
  if (Is(&algorithm, NID_id_scrypt)) {
    return FailFile(Defect::kOverCap,
                    "its key derivation is scrypt, whose memory the file sets and which the format "
                    "does not use; nothing was derived");
  }
  if (!Is(&algorithm, NID_id_pbkdf2)) return Odd("key derivation");
  const Pbkdf2Ptr params(static_cast<PBKDF2PARAM*>(
      ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), algorithm.parameter)));
  if (params == nullptr || params->salt->type != V_ASN1_OCTET_STRING ||
      params->keylength != nullptr || !Is(params->prf, NID_hmacWithSHA256)) {
    return Odd("key derivation");
  }
  const ASN1_OCTET_STRING* salt = params->salt->value.octet_string;
  const auto size = static_cast<size_t>(ASN1_STRING_length(salt));
  if (size < 8) return Odd("salt");
  if (size > kMaxSalt) return FailFile(Defect::kOverCap, "its salt is longer than 64 bytes");
  const auto count = ReadCount(params->iter, kMaxIterations, "PBKDF2 iterations");
  if (!count) return tl::unexpected(count.error());
  const uint8_t* data = ASN1_STRING_get0_data(salt);
  kdf->salt.assign(data, data + size);
  kdf->iterations = *count;
  return {};
}

FileResult<void> ReadEncryption(const X509_ALGOR& algorithm, token::WrappedKey* key) {
  if (Is(&algorithm, NID_id_aes256_wrap_pad)) {
    if (algorithm.parameter != nullptr) return Odd("key encryption");
    key->algorithm = token::WrapAlgorithm::kAesKeyWrapPad;
    return {};
  }
  const ASN1_TYPE* iv = algorithm.parameter;
  if (!Is(&algorithm, NID_aes_256_cbc) || iv == nullptr || iv->type != V_ASN1_OCTET_STRING ||
      ASN1_STRING_length(iv->value.octet_string) != static_cast<int>(token::kCbcIvSize)) {
    return Odd("key encryption");
  }
  const uint8_t* data = ASN1_STRING_get0_data(iv->value.octet_string);
  key->algorithm = token::WrapAlgorithm::kAesCbcPad;
  key->iv.assign(data, data + token::kCbcIvSize);
  return {};
}

}  // namespace

FileResult<uint32_t> ReadCount(const ASN1_INTEGER* number, uint32_t cap, const char* what) {
  uint64_t value = 0;
  // A number that does not fit 64 bits is over any cap, unless it is negative.
  const bool fits = number != nullptr && ASN1_INTEGER_get_uint64(&value, number) == 1;
  const bool negative = number != nullptr && (ASN1_STRING_type(number) & V_ASN1_NEG) != 0;
  if (number == nullptr || negative || (fits && value == 0)) return Odd(what);
  if (!fits || value > cap) {
    return FailFile(Defect::kOverCap, std::string("its ") + what + " are more than " +
                                          std::to_string(cap) +
                                          ", which would keep this machine busy for long; nothing "
                                          "was derived");
  }
  return static_cast<uint32_t>(value);
}

FileResult<void> ReadPbes2(const X509_ALGOR& algorithm, Backup* backup) {
  const Pbe2Ptr params(Is(&algorithm, NID_pbes2) && algorithm.parameter != nullptr
                           ? static_cast<PBE2PARAM*>(ASN1_TYPE_unpack_sequence(
                                 ASN1_ITEM_rptr(PBE2PARAM), algorithm.parameter))
                           : nullptr);
  if (params == nullptr) return Odd("key encryption");
  auto kdf = ReadPbkdf2(*params->keyfunc, &backup->kdf);
  if (!kdf) return kdf;
  return ReadEncryption(*params->encryption, &backup->key);
}

}  // namespace keybroker::backup
