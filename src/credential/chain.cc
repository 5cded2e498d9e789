#include "keybroker/credential/chain.h"

#include <utility>

#include "credential/openssl.h"

namespace keybroker::credential {
namespace {

X509Ptr Decode(const Certificate& certificate) {
  const unsigned char* at = certificate.der.data();
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(certificate.der.size())));
}

// IsIssuedBy checks names and key identifiers, and that issuer's key made the signature.
bool IsIssuedBy(const Certificate& certificate, const Certificate& issuer) {
  X509Ptr lower = Decode(certificate);
  X509Ptr upper = Decode(issuer);
  if (!lower || !upper || X509_check_issued(upper.get(), lower.get()) != X509_V_OK) return false;
  const bool good = X509_verify(lower.get(), X509_get0_pubkey(upper.get())) == 1;
  OpenSslText();
  return good;
}

std::string Ordinal(size_t index, size_t count, const Certificate& certificate) {
  return "certificate " + std::to_string(index + 1) + " of " + std::to_string(count) + " (" +
         certificate.subject + ")";
}

Status CheckTimes(const std::vector<Certificate>& certificates, int64_t now) {
  for (size_t i = 0; i < certificates.size(); ++i) {
    const Certificate& one = certificates[i];
    const std::string who = Ordinal(i, certificates.size(), one);
    if (now > one.not_after) {
      return Fail(Malformed(who + " expired at " + FormatTime(one.not_after) +
                            ": ask the CA for a new one"));
    }
    if (now < one.not_before) {
      return Fail(Malformed(who + " is not valid before " + FormatTime(one.not_before) +
                            ": install it then, or set this host's clock"));
    }
  }
  return {};
}

Status CheckLeafName(const Certificate& leaf, const std::string& name) {
  if (FitsName(leaf, name)) return {};
  std::string names;
  for (const std::string& dns : leaf.dns_names) names += (names.empty() ? "" : ", ") + dns;
  return Fail(Malformed("the certificate is not for " + name + " but for " +
                        (names.empty() ? "no DNS name (it has no subjectAltName)" : names) +
                        ": ask the CA for one with this subjectAltName (request create makes the "
                        "request)"));
}

Status CheckOrder(const std::vector<Certificate>& certificates) {
  for (size_t i = 0; i + 1 < certificates.size(); ++i) {
    if (IsIssuedBy(certificates[i], certificates[i + 1])) continue;
    for (size_t j = 0; j < certificates.size(); ++j) {
      if (j == i || !IsIssuedBy(certificates[i], certificates[j])) continue;
      return Fail(Malformed(
          "the chain is out of order: " + Ordinal(i, certificates.size(), certificates[i]) +
          " was issued by " + Ordinal(j, certificates.size(), certificates[j]) +
          ", which must come right after it. Order: leaf, then each issuer"));
    }
    return Fail(Malformed(
        "the chain is incomplete: " + Ordinal(i, certificates.size(), certificates[i]) +
        " was issued by \"" + certificates[i].issuer + "\", which is not in the file, and " +
        Ordinal(i + 1, certificates.size(), certificates[i + 1]) +
        " did not issue it. Order: leaf, then each issuer"));
  }
  return {};
}

// EndsAtSystemAnchor asks OpenSSL whether the last certificate's issuer is in the system's store.
bool EndsAtSystemAnchor(const Certificate& last, int64_t now) {
  X509StorePtr store(X509_STORE_new());
  X509StoreCtxPtr check(X509_STORE_CTX_new());
  X509Ptr x509 = Decode(last);
  const bool good = store && check && x509 && X509_STORE_set_default_paths(store.get()) == 1 &&
                    X509_STORE_CTX_init(check.get(), store.get(), x509.get(), nullptr) == 1 && [&] {
                      X509_STORE_CTX_set_time(check.get(), 0, now);
                      return X509_verify_cert(check.get()) == 1;
                    }();
  OpenSslText();
  return good;
}

bool EndsAtAnchor(const Certificate& last, const ChainRules& rules) {
  for (const Certificate& anchor : rules.anchors) {
    if (anchor.der == last.der || IsIssuedBy(last, anchor)) return true;
  }
  return rules.system_anchors && EndsAtSystemAnchor(last, rules.now);
}

}  // namespace

Result<std::vector<Certificate>> CheckChain(const std::vector<Certificate>& certificates,
                                            const ChainRules& rules) {
  if (certificates.empty()) return Fail(Malformed("there is no certificate"));
  KB_TRY(CheckLeafName(certificates.front(), rules.name));
  KB_TRY(CheckTimes(certificates, rules.now));
  KB_TRY(CheckOrder(certificates));
  std::vector<Certificate> chain = certificates;
  const Certificate& last = certificates.back();
  if (last.self_issued && IsIssuedBy(last, last)) {
    if (chain.size() > 1) chain.pop_back();
    return chain;
  }
  if (rules.allow_incomplete || EndsAtAnchor(last, rules)) return chain;
  return Fail(
      Malformed("the chain is incomplete: " + Ordinal(chain.size() - 1, chain.size(), last) +
                " was issued by \"" + last.issuer +
                "\", which is neither there too nor a root that is known here. Append the missing "
                "intermediate, or name a private CA's own root with --ca FILE" +
                rules.otherwise));
}

}  // namespace keybroker::credential
