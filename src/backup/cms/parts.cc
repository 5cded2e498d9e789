#include "backup/cms/parts.h"

#include "backup/cms/der_text.h"
#include "backup/cms/names.h"
#include "backup/foreign/der.h"

namespace keybroker::backup {
namespace {

// Walk goes through elements; once one is not there, it gives empty views and good() is false.
class Walk {
 public:
  explicit Walk(token::Bytes bytes) : reader_(bytes) {}

  token::Bytes Contents(uint8_t tag) {
    const auto element = reader_.NextOf(tag);
    good_ = good_ && element;
    return element ? element->contents : token::Bytes();
  }
  Walk Into(uint8_t tag) {
    Walk inner(Contents(tag));
    inner.good_ = good_;
    return inner;
  }
  token::Bytes Whole(uint8_t tag) {
    const auto element = reader_.NextOf(tag);
    good_ = good_ && element;
    return element ? element->whole : token::Bytes();
  }
  void Name(std::string_view oid) { good_ = TextOf(Whole(kDerOid)) == oid && good_; }
  Walk& Skip(uint8_t tag) {
    Contents(tag);
    return *this;
  }

  bool AtEnd() const { return reader_.AtEnd(); }
  bool good() const { return good_; }

 private:
  DerReader reader_;
  bool good_ = true;
};

// Content is what a ContentInfo of the type holds (RFC 5652 section 3).
Walk Content(token::Bytes bytes, std::string_view type) {
  Walk info = Walk(bytes).Into(kDerSequence);
  info.Name(type);
  return info.Into(kDerContext0).Into(kDerSequence);
}

bool ReadAttributes(Walk attributes, CmsParts* parts) {
  while (attributes.good() && !attributes.AtEnd()) {
    Walk attribute = attributes.Into(kDerSequence);
    const auto type = TextOf(attribute.Whole(kDerOid));
    Walk values = attribute.Into(kDerSet);
    if (!values.good()) return false;
    if (type == oid::kDescription) parts->manifest = TextOf(values.Contents(kDerUtf8String));
    if (type == oid::kSigningCertificateV2) {
      Walk list = values.Into(kDerSequence).Into(kDerSequence);
      while (list.good() && !list.AtEnd()) {
        parts->certificate_hashes.push_back(list.Into(kDerSequence).Contents(kDerOctetString));
      }
      if (!list.good()) return false;
    }
    if (!values.good()) return false;
  }
  return attributes.good();
}

bool ReadEnveloped(token::Bytes bytes, CmsParts* parts) {
  Walk data = Content(bytes, oid::kEnvelopedData);
  parts->recipients = data.Skip(kDerInteger).Contents(kDerSet);
  Walk content = data.Into(kDerSequence);
  content.Name(oid::kData);
  parts->encryption = content.Contents(kDerSequence);
  parts->wrapped = content.Contents(kDerContext0Primitive);
  return content.good();
}

}  // namespace

std::optional<CmsParts> TakeApart(std::string_view bytes) {
  CmsParts parts;
  Walk data = Content(BytesOf(bytes), oid::kSignedData);
  Walk content = data.Skip(kDerInteger).Skip(kDerSet).Into(kDerSequence);
  content.Name(oid::kData);
  const auto enveloped = content.Into(kDerContext0).Contents(kDerOctetString);
  Walk certificates = data.Into(kDerContext0);
  while (certificates.good() && !certificates.AtEnd()) {
    parts.certificates.push_back(certificates.Whole(kDerSequence));
  }
  Walk signer = data.Into(kDerSet).Into(kDerSequence);
  Walk attributes =
      signer.Skip(kDerInteger).Skip(kDerSequence).Skip(kDerSequence).Into(kDerContext0);
  parts.signature = signer.Skip(kDerSequence).Contents(kDerOctetString);
  if (!content.good() || !certificates.good() || !signer.good() ||
      !ReadAttributes(attributes, &parts) || !ReadEnveloped(enveloped, &parts)) {
    return std::nullopt;
  }
  return parts;
}

}  // namespace keybroker::backup
