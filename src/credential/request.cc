#include "keybroker/credential/request.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <utility>

#include "credential/openssl.h"
#include "credential/subject.h"
#include "keybroker/credential/sign_message.h"

namespace keybroker::credential {
namespace {

using cryptoki::Digest;
using cryptoki::KeyType;

constexpr size_t kMaxCommonName = 64;  // ub-common-name, RFC 5280 appendix A.1

int SignatureNid(KeyType type, Digest digest) {
  if (type == KeyType::kRsa) return NID_sha256WithRSAEncryption;
  if (digest == Digest::kSha256) return NID_ecdsa_with_SHA256;
  return digest == Digest::kSha384 ? NID_ecdsa_with_SHA384 : NID_ecdsa_with_SHA512;
}

Status AddNames(X509_REQ* request, const std::vector<std::string>& dns_names, bool critical) {
  GeneralNamesPtr names(GENERAL_NAMES_new());
  for (const std::string& dns : dns_names) {
    GeneralNamePtr name(GENERAL_NAME_new());
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    if (!names || !name || text == nullptr ||
        ASN1_STRING_set(text, dns.data(), static_cast<int>(dns.size())) != 1) {
      ASN1_IA5STRING_free(text);
      return Fail(Internal("no memory for a name"));
    }
    GENERAL_NAME_set0_value(name.get(), GEN_DNS, text);
    if (sk_GENERAL_NAME_push(names.get(), name.get()) <= 0) return Fail(Internal("no memory"));
    static_cast<void>(name.release());
  }
  STACK_OF(X509_EXTENSION)* extensions = nullptr;
  const bool good = X509V3_add1_i2d(&extensions, NID_subject_alt_name, names.get(),
                                    critical ? 1 : 0, X509V3_ADD_APPEND) == 1 &&
                    X509_REQ_add_extensions(request, extensions) == 1;
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  if (!good) return Fail(Internal("cannot add the names: " + OpenSslText()));
  return {};
}

Result<std::vector<uint8_t>> Encode(X509_REQ* request,
                                    int (*encode)(X509_REQ* request, unsigned char** out)) {
  unsigned char* bytes = nullptr;
  const int size = encode(request, &bytes);
  if (size <= 0) return Fail(Internal("cannot encode the request: " + OpenSslText()));
  std::vector<uint8_t> der(bytes, bytes + size);
  OPENSSL_free(bytes);
  return der;
}

Status PutSignature(X509_REQ* request, const std::vector<uint8_t>& signature) {
  BitStringPtr bits(ASN1_BIT_STRING_new());
  if (!bits || ASN1_BIT_STRING_set(bits.get(), const_cast<unsigned char*>(signature.data()),
                                   static_cast<int>(signature.size())) != 1) {
    return Fail(Internal("no memory for a signature"));
  }
  // No unused bits: trailing zeros of a signature belong to it.
  bits->flags = (bits->flags & ~0x0fL) | ASN1_STRING_FLAG_BITS_LEFT;
  X509_REQ_set0_signature(request, bits.release());
  return {};
}

Result<X509ReqPtr> Unsigned(const PublicKey& key, const RequestSpec& spec, Digest digest) {
  const unsigned char* at = key.spki.data();
  PkeyPtr public_key(d2i_PUBKEY(nullptr, &at, static_cast<long>(key.spki.size())));
  if (!public_key) return Fail(Malformed("the public key does not parse: " + OpenSslText()));
  KB_ASSIGN(X509NamePtr subject, ParseSubject(spec.subject));
  X509ReqPtr request(X509_REQ_new());
  X509AlgorPtr algorithm(X509_ALGOR_new());
  if (!request || !algorithm || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_subject_name(request.get(), subject.get()) != 1 ||
      X509_REQ_set_pubkey(request.get(), public_key.get()) != 1) {
    return Fail(Internal("cannot make the request: " + OpenSslText()));
  }
  // RFC 5280 section 4.2.1.6: with an empty subject the names are critical.
  KB_TRY(AddNames(request.get(), spec.dns_names, spec.subject.empty()));
  const int parameters = key.type == KeyType::kRsa ? V_ASN1_NULL : V_ASN1_UNDEF;
  if (X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(SignatureNid(key.type, digest)), parameters,
                      nullptr) != 1 ||
      X509_REQ_set1_signature_algo(request.get(), algorithm.get()) != 1) {
    return Fail(Internal("cannot name the signature algorithm: " + OpenSslText()));
  }
  return request;
}

}  // namespace

std::string DefaultSubject(std::string_view name) {
  return name.size() > kMaxCommonName ? std::string() : "CN=" + std::string(name);
}

Result<std::vector<uint8_t>> MakeRequest(const PublicKey& key, const RequestSpec& spec,
                                         const Signer& sign) {
  if (spec.dns_names.empty()) return Fail(Malformed("a request needs at least one DNS name"));
  const Digest digest = DigestFor(key);
  KB_ASSIGN(X509ReqPtr request, Unsigned(key, spec, digest));
  KB_ASSIGN(const auto tbs, Encode(request.get(), [](X509_REQ* r, unsigned char** out) {
              return i2d_re_X509_REQ_tbs(r, out);
            }));
  KB_ASSIGN(const auto signature, SignMessage(key, tbs, sign));
  KB_TRY(PutSignature(request.get(), signature));
  KB_ASSIGN(auto der, Encode(request.get(), [](X509_REQ* r, unsigned char** out) {
              return i2d_X509_REQ(r, out);
            }));
  // What a CA will read is verified, not what was put together.
  const unsigned char* at = der.data();
  X509ReqPtr again(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
  if (!again || X509_REQ_verify(again.get(), X509_REQ_get0_pubkey(again.get())) != 1) {
    return Fail(TokenFailed("the request's signature does not verify with the public key: " +
                            OpenSslText() + ". Nothing was written"));
  }
  return der;
}

std::string FormatRequest(token::Bytes der) {
  BioPtr out(BIO_new(BIO_s_mem()));
  char* text = nullptr;
  if (!out || PEM_write_bio(out.get(), PEM_STRING_X509_REQ, "", der.data(),
                            static_cast<long>(der.size())) <= 0) {
    return {};
  }
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

bool IsRequest(std::string_view bytes) {
  BioPtr pem = MemoryBio(bytes);
  X509ReqPtr request(pem ? PEM_read_bio_X509_REQ(pem.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!request) {
    const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
    request.reset(d2i_X509_REQ(nullptr, &at, static_cast<long>(bytes.size())));
  }
  ERR_clear_error();
  return request != nullptr;
}

}  // namespace keybroker::credential
