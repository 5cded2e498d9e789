#include "support/module_fixture.h"
#include "test_certificate.h"

namespace keybroker::module {
namespace {

using test::FakeKey;

constexpr CK_ULONG kUnavailable = CK_UNAVAILABLE_INFORMATION;
using Bytes = std::vector<uint8_t>;

class Attributes : public test::ModuleTest {
 protected:
  Attributes() {
    rsa_.public_first = Bytes(256, 0xc5);
    rsa_.public_second = {1, 0, 1};
    rsa_.certificate = TestCertificate("a.example.test", 7);
    ec_.public_first = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    ec_.public_second = Bytes(67, 4);
    Start({rsa_, ec_});
    session_ = Open();
  }

  CK_OBJECT_HANDLE Object(const FakeKey& key, CK_OBJECT_CLASS object_class) {
    const auto found =
        Find(session_, {test::Attribute(CKA_ID, key.id), test::Attribute(CKA_CLASS, object_class)});
    return found.size() == 1 ? found[0] : CK_INVALID_HANDLE;
  }
  CK_RV Get(CK_OBJECT_HANDLE object, std::vector<CK_ATTRIBUTE>& wanted) {
    return api_->C_GetAttributeValue(session_, object, wanted.data(), wanted.size());
  }
  // Value asks for the length, then for the value; {0xde, 0xad} stands for an error.
  Bytes Value(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
    std::vector<CK_ATTRIBUTE> wanted = {{type, nullptr, 0}};
    if (Get(object, wanted) != CKR_OK) return {0xde, 0xad};
    Bytes value(wanted[0].ulValueLen + 1, 0xee);
    wanted[0] = {type, value.data(), value.size()};
    if (Get(object, wanted) != CKR_OK) return {0xde, 0xad};
    EXPECT_EQ(value.back(), 0xee) << "a byte behind the value was written";
    EXPECT_EQ(wanted[0].ulValueLen, value.size() - 1) << "as the NULL call said";
    value.resize(wanted[0].ulValueLen);
    return value;
  }
  static Bytes Number(CK_ULONG number) {
    Bytes bytes(sizeof number);
    memcpy(bytes.data(), &number, sizeof number);
    return bytes;
  }

  FakeKey rsa_ = test::RsaKey("a.example.test", 1);
  FakeKey ec_ = test::EcKey("a.example.test", 2);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

TEST_F(Attributes, DescribeAnRsaPrivateKeyThatOnlySigns) {
  const CK_OBJECT_HANDLE key = Object(rsa_, CKO_PRIVATE_KEY);
  EXPECT_EQ(Value(key, CKA_CLASS), Number(CKO_PRIVATE_KEY));
  EXPECT_EQ(Value(key, CKA_KEY_TYPE), Number(CKK_RSA));
  EXPECT_EQ(Value(key, CKA_LABEL), Text("a.example.test"));
  EXPECT_EQ(Value(key, CKA_ID), rsa_.id);
  EXPECT_EQ(Value(key, CKA_MODULUS), rsa_.public_first);
  EXPECT_EQ(Value(key, CKA_PUBLIC_EXPONENT), rsa_.public_second);
  EXPECT_EQ(Value(key, CKA_SUBJECT), TestName("a.example.test"));
  for (const CK_ATTRIBUTE_TYPE yes : {CKA_TOKEN, CKA_SIGN, CKA_SENSITIVE}) {
    EXPECT_EQ(Value(key, yes), Bytes{CK_TRUE}) << yes;
  }
  for (const CK_ATTRIBUTE_TYPE no :
       {CKA_PRIVATE, CKA_MODIFIABLE, CKA_DECRYPT, CKA_SIGN_RECOVER, CKA_UNWRAP, CKA_DERIVE,
        CKA_EXTRACTABLE, CKA_NEVER_EXTRACTABLE, CKA_ALWAYS_AUTHENTICATE, CKA_WRAP_WITH_TRUSTED}) {
    EXPECT_EQ(Value(key, no), Bytes{CK_FALSE}) << no;
  }
}

TEST_F(Attributes, NameTheMechanismsThatAKeyPermits) {
  const Bytes value = Value(Object(ec_, CKO_PRIVATE_KEY), CKA_ALLOWED_MECHANISMS);
  Bytes expected;
  for (const CK_ULONG type : {CKM_ECDSA, CKM_ECDSA_SHA256, CKM_ECDSA_SHA384, CKM_ECDSA_SHA512}) {
    const Bytes number = Number(type);
    expected.insert(expected.end(), number.begin(), number.end());
  }
  EXPECT_EQ(value, expected);
}

TEST_F(Attributes, DescribePublicKeys) {
  const CK_OBJECT_HANDLE rsa = Object(rsa_, CKO_PUBLIC_KEY);
  EXPECT_EQ(Value(rsa, CKA_MODULUS), rsa_.public_first);
  EXPECT_EQ(Value(rsa, CKA_PUBLIC_EXPONENT), rsa_.public_second);
  EXPECT_EQ(Value(rsa, CKA_MODULUS_BITS), Number(2048));
  const CK_OBJECT_HANDLE ec = Object(ec_, CKO_PUBLIC_KEY);
  EXPECT_EQ(Value(ec, CKA_EC_PARAMS), ec_.public_first);
  EXPECT_EQ(Value(ec, CKA_EC_POINT), ec_.public_second);
  EXPECT_EQ(Value(ec, CKA_VERIFY), Bytes{CK_FALSE}) << "C_VerifyInit is not supported";
  EXPECT_EQ(Value(ec, CKA_SUBJECT), Bytes{}) << "without a certificate";
}

TEST_F(Attributes, DescribeACertificate) {
  const CK_OBJECT_HANDLE certificate = Object(rsa_, CKO_CERTIFICATE);
  EXPECT_EQ(Value(certificate, CKA_VALUE), rsa_.certificate);
  EXPECT_EQ(Value(certificate, CKA_CERTIFICATE_TYPE), Number(CKC_X_509));
  EXPECT_EQ(Value(certificate, CKA_SUBJECT), TestName("a.example.test"));
  EXPECT_EQ(Value(certificate, CKA_ISSUER), TestName("test CA"));
  EXPECT_EQ(Value(certificate, CKA_SERIAL_NUMBER), (Bytes{2, 1, 7}));
  EXPECT_EQ(Value(certificate, CKA_LABEL), Text("a.example.test"));
  EXPECT_EQ(Value(certificate, CKA_ID), rsa_.id);
  EXPECT_EQ(Value(certificate, CKA_TRUSTED), Bytes{CK_FALSE});
}

TEST_F(Attributes, GiveNoBitOfAKeyAway) {
  const auto get = [this](const FakeKey& key, CK_ATTRIBUTE_TYPE type) {
    Bytes room(512, 0xee);
    std::vector<CK_ATTRIBUTE> wanted = {{type, room.data(), room.size()}};
    const CK_RV rv = Get(Object(key, CKO_PRIVATE_KEY), wanted);
    EXPECT_EQ(wanted[0].ulValueLen, kUnavailable) << type;
    EXPECT_EQ(room, Bytes(512, 0xee)) << type;
    return rv;
  };
  for (const CK_ATTRIBUTE_TYPE type : {CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
                                       CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT}) {
    EXPECT_EQ(get(rsa_, type), CKR_ATTRIBUTE_SENSITIVE) << type;
    EXPECT_EQ(get(ec_, type), CKR_ATTRIBUTE_TYPE_INVALID) << type;
  }
  EXPECT_EQ(get(ec_, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
  EXPECT_EQ(get(rsa_, CKA_EC_PARAMS), CKR_ATTRIBUTE_TYPE_INVALID);
  EXPECT_EQ(get(rsa_, CKA_VENDOR_DEFINED | 5), CKR_ATTRIBUTE_TYPE_INVALID);
}

TEST_F(Attributes, AreEachDealtWithWhateverIsWrongWithAnother) {
  Bytes id(4);
  Bytes label(14);
  Bytes small(3, 0xee);
  Bytes exponent(64);
  std::vector<CK_ATTRIBUTE> wanted = {{CKA_PRIVATE_EXPONENT, exponent.data(), exponent.size()},
                                      {CKA_ID, id.data(), id.size()},
                                      {CKA_LABEL, small.data(), small.size()},
                                      {CKA_EC_PARAMS, nullptr, 0},
                                      {CKA_MODULUS, nullptr, 0},
                                      {CKA_LABEL, label.data(), label.size()}};
  EXPECT_EQ(Get(Object(rsa_, CKO_PRIVATE_KEY), wanted), CKR_ATTRIBUTE_SENSITIVE);
  EXPECT_EQ(id, rsa_.id);
  EXPECT_EQ(label, Text("a.example.test"));
  EXPECT_EQ(small, Bytes(3, 0xee));
  const CK_ULONG lengths[] = {kUnavailable, 4, kUnavailable, kUnavailable, 256, 14};
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(wanted[i].ulValueLen, lengths[i]) << i;
  wanted = {{CKA_LABEL, small.data(), small.size()}, {CKA_EC_PARAMS, nullptr, 0}};
  EXPECT_EQ(Get(Object(rsa_, CKO_PRIVATE_KEY), wanted), CKR_ATTRIBUTE_TYPE_INVALID);
  wanted.pop_back();
  wanted[0].ulValueLen = small.size();
  EXPECT_EQ(Get(Object(rsa_, CKO_PRIVATE_KEY), wanted), CKR_BUFFER_TOO_SMALL);
}

TEST_F(Attributes, AreReadWithoutAnotherWordToTheBroker) {
  const CK_OBJECT_HANDLE key = Object(rsa_, CKO_PRIVATE_KEY);
  const size_t before = broker_.messages();
  EXPECT_EQ(Value(key, CKA_MODULUS).size(), 256u);
  EXPECT_EQ(broker_.messages(), before);
}

TEST_F(Attributes, NeedAnObjectOfThisKind) {
  const CK_OBJECT_HANDLE key = Object(rsa_, CKO_PRIVATE_KEY);
  const CK_OBJECT_HANDLE certificate_of_ec = Object(ec_, CKO_PRIVATE_KEY) | 3;
  std::vector<CK_ATTRIBUTE> wanted = {{CKA_LABEL, nullptr, 0}};
  EXPECT_EQ(Get(certificate_of_ec, wanted), CKR_OBJECT_HANDLE_INVALID) << "there is none";
  EXPECT_EQ(Get(key & ~CK_ULONG{3}, wanted), CKR_OBJECT_HANDLE_INVALID);
  EXPECT_EQ(api_->C_GetAttributeValue(session_, key, nullptr, 0), CKR_OK) << "asks for nothing";
}

}  // namespace
}  // namespace keybroker::module
