#include "keybroker/policy/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/cryptoki/mechanism.h"

namespace keybroker::policy {
namespace {

using cryptoki::KeyType;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr KeyFacts kRsa{"mail.test", KeyType::kRsa, 2048};
constexpr KeyFacts kEc{"mail.test", KeyType::kEc, 256};

Binding Bound(std::string key, std::optional<KeyType> type, std::vector<std::string> mechanisms) {
  auto permitted = ExpandMechanisms(mechanisms);
  EXPECT_TRUE(permitted.has_value());
  return Binding{std::move(key), type, std::move(mechanisms), *permitted};
}

Listener WithBindings(std::vector<Binding> bindings) {
  Listener listener;
  listener.name = "https";
  listener.bindings = std::move(bindings);
  return listener;
}

TEST(Explain, SaysThatTheListenerIsBoundToTheOtherTypeOfTheName) {
  Listener listener = WithBindings({Bound("mail.test", KeyType::kEc, {"tls-server"})});
  EXPECT_THAT(Explain(Reason::kMechanismWrongKeyType, listener, "mail.test", CKM_RSA_PKCS_PSS),
              testing::HasSubstr("keybroker listener bind https mail.test --type rsa"));
  listener.bindings[0].type.reset();
  EXPECT_THAT(Explain(Reason::kMechanismWrongKeyType, listener, "mail.test", CKM_RSA_PKCS_PSS),
              testing::HasSubstr("needs the rsa key of the name \"mail.test\", and no token"));
}

TEST(Decision, DeniesEverythingWithoutABinding) {
  const Listener listener = WithBindings({});
  for (const KeyFacts& key : {kRsa, kEc}) {
    EXPECT_THAT(PermittedMechanisms(listener, key), IsEmpty());
    for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
      EXPECT_EQ(DecideMechanism(listener, &key, mechanism.type), Reason::kKeyNotBound);
    }
  }
}

TEST(Decision, GrantsWhatABindingNamesAndNothingElse) {
  const Listener listener = WithBindings({Bound("mail.test", {}, {"CKM_ECDSA", "RSA_PKCS_PSS"})});
  EXPECT_THAT(PermittedMechanisms(listener, kEc), ElementsAre(CKM_ECDSA));
  EXPECT_THAT(PermittedMechanisms(listener, kRsa), ElementsAre(CKM_RSA_PKCS_PSS));
  EXPECT_EQ(DecideMechanism(listener, &kEc, CKM_ECDSA), Reason::kGranted);
  EXPECT_EQ(DecideMechanism(listener, &kEc, CKM_ECDSA_SHA256), Reason::kMechanismNotBound);
  EXPECT_EQ(DecideMechanism(listener, &kRsa, CKM_RSA_PKCS), Reason::kMechanismNotBound);
  EXPECT_EQ(DecideMechanism(listener, &kRsa, CKM_ECDSA), Reason::kMechanismWrongKeyType);
  const KeyFacts other{"mail.test.example", KeyType::kEc, 256};
  EXPECT_EQ(DecideMechanism(listener, &other, CKM_ECDSA), Reason::kKeyNotBound);
}

TEST(Decision, TreatsAMissingKeyLikeAnUnboundOne) {
  const Listener listener = WithBindings({Bound("mail.test", {}, {"tls-server"})});
  EXPECT_EQ(DecideMechanism(listener, nullptr, CKM_ECDSA), Reason::kKeyNotBound);
  EXPECT_EQ(ReasonRv(Reason::kKeyNotBound), CKR_KEY_HANDLE_INVALID);
  // Nor does the wrong type of mechanism tell that an unbound key exists.
  const KeyFacts unbound{"other.test", KeyType::kRsa, 2048};
  EXPECT_EQ(DecideMechanism(listener, &unbound, CKM_ECDSA), Reason::kKeyNotBound);
}

TEST(Decision, NeverKnowsMechanismsOutsideTheClosedList) {
  const Listener listener = WithBindings({Bound("mail.test", {}, {"tls-server"})});
  for (const CK_MECHANISM_TYPE mechanism :
       {CK_MECHANISM_TYPE{CKM_RSA_X_509}, CK_MECHANISM_TYPE{CKM_SHA1_RSA_PKCS},
        CK_MECHANISM_TYPE{CKM_ECDSA_SHA1}, CK_MECHANISM_TYPE{CKM_ECDH1_DERIVE},
        CK_MECHANISM_TYPE{CKM_RSA_PKCS_OAEP}, CK_MECHANISM_TYPE{~0UL}}) {
    EXPECT_EQ(DecideMechanism(listener, &kRsa, mechanism), Reason::kMechanismUnknown);
    EXPECT_EQ(CheckShape(kRsa, {mechanism, {}, {}}), Reason::kMechanismUnknown);
  }
  // Not even if a binding were made to name it past the parser.
  Binding forged{"mail.test", {}, {}, {CKM_RSA_X_509}};
  EXPECT_EQ(DecideMechanism(WithBindings({forged}), &kRsa, CKM_RSA_X_509),
            Reason::kMechanismUnknown);
}

TEST(Decision, KeepsABindingOfOneTypeToThatType) {
  const Listener listener = WithBindings({Bound("mail.test", KeyType::kRsa, {"tls-server"})});
  EXPECT_THAT(PermittedMechanisms(listener, kEc), IsEmpty());
  EXPECT_EQ(DecideMechanism(listener, &kEc, CKM_ECDSA), Reason::kKeyNotBound);
  EXPECT_THAT(PermittedMechanisms(listener, kRsa),
              ElementsAre(CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS,
                          CKM_SHA512_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_SHA384_RSA_PKCS_PSS,
                          CKM_SHA512_RSA_PKCS_PSS));
}

TEST(Decision, AddsUpSeveralBindingsOfOneKey) {
  const Listener listener = WithBindings({Bound("mail.test", KeyType::kRsa, {"CKM_RSA_PKCS"}),
                                          Bound("mail.test", {}, {"CKM_RSA_PKCS_PSS"})});
  EXPECT_THAT(PermittedMechanisms(listener, kRsa), ElementsAre(CKM_RSA_PKCS, CKM_RSA_PKCS_PSS));
}

TEST(Decision, BindsAWildcardKeyByItsNameOnly) {
  const Listener listener = WithBindings({Bound("*.test", {}, {"tls-server"})});
  const KeyFacts wildcard{"*.test", KeyType::kEc, 256};
  EXPECT_EQ(DecideMechanism(listener, &wildcard, CKM_ECDSA), Reason::kGranted);
  EXPECT_EQ(DecideMechanism(listener, &kEc, CKM_ECDSA), Reason::kKeyNotBound)
      << "the binding names a key whose certificate has a wildcard; it is no pattern";
}

TEST(Decision, SaysTheSameInListAndInAnswer) {
  const std::vector<Binding> bindings[] = {
      {},
      {Bound("mail.test", {}, {"tls-server"})},
      {Bound("mail.test", KeyType::kEc, {"tls-server"})},
      {Bound("mail.test", {}, {"CKM_ECDSA_SHA384", "CKM_RSA_PKCS"})},
      {Bound("x.test", {}, {"tls-server"})},
  };
  for (const auto& list : bindings) {
    const Listener listener = WithBindings(list);
    for (const KeyFacts& key : {kRsa, kEc}) {
      const auto permitted = PermittedMechanisms(listener, key);
      EXPECT_TRUE(std::is_sorted(permitted.begin(), permitted.end()));
      for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
        const bool listed = std::count(permitted.begin(), permitted.end(), mechanism.type) == 1;
        EXPECT_EQ(listed, DecideMechanism(listener, &key, mechanism.type) == Reason::kGranted);
      }
    }
  }
}

TEST(Decision, HasANameAnAnswerAndASentenceForEveryReason) {
  const Listener listener = WithBindings({});
  const std::tuple<Reason, std::string, CK_RV> reasons[] = {
      {Reason::kGranted, "granted", CKR_OK},
      {Reason::kUserNotAllowed, "user-not-allowed", CKR_FUNCTION_REJECTED},
      {Reason::kKeyNotBound, "key-not-bound", CKR_KEY_HANDLE_INVALID},
      {Reason::kMechanismNotBound, "mechanism-not-bound", CKR_MECHANISM_INVALID},
      {Reason::kMechanismUnknown, "mechanism-unknown", CKR_MECHANISM_INVALID},
      {Reason::kMechanismWrongKeyType, "mechanism-wrong-key-type", CKR_KEY_TYPE_INCONSISTENT},
      {Reason::kParametersWrong, "parameters-wrong", CKR_MECHANISM_PARAM_INVALID},
      {Reason::kDataWrong, "data-wrong", CKR_DATA_INVALID},
  };
  std::set<std::string> sentences;
  for (const auto& [reason, name, rv] : reasons) {
    EXPECT_EQ(ReasonName(reason), name);
    EXPECT_EQ(ReasonRv(reason), rv);
    sentences.insert(Explain(reason, listener, "mail.test", CKM_ECDSA));
  }
  EXPECT_EQ(sentences.size(), std::size(reasons));
  EXPECT_EQ(Explain(Reason::kMechanismNotBound, listener, "mail.test", CKM_ECDSA),
            "listener \"https\" has a binding for \"mail.test\", but CKM_ECDSA is not among its "
            "mechanisms; add it, or \"tls-server\", to the binding");
}

}  // namespace
}  // namespace keybroker::policy
