#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "keybroker/cryptoki/cryptoki.h"
#include "support/fake_broker.h"
#include "support/temp_dir.h"

namespace keybroker::test {

// LoadModule loads the built module from a copy of its file, so that its state is its own: nothing
// that another test made it remember.
CK_FUNCTION_LIST* LoadModule(const std::filesystem::path& copy);

// InChild runs what in a forked child; the test fails when an expectation does there, or when the
// child dies or takes longer than a minute.
void InChild(const std::function<void()>& what);

// Signed is what a C_Sign or C_SignFinal gave.
struct Signed {
  CK_RV rv = CKR_OK;
  std::vector<uint8_t> bytes;
};

// Attribute makes a template entry of a value that outlives it.
template <class T>
CK_ATTRIBUTE Attribute(CK_ATTRIBUTE_TYPE type, T& value) {
  if constexpr (requires { value.data(); }) {
    return {type, const_cast<void*>(static_cast<const void*>(value.data())), value.size()};
  } else {
    return {type, const_cast<void*>(static_cast<const void*>(&value)), sizeof value};
  }
}

// ModuleTest is a host of the module and a fake broker at its socket. Every test finds the module
// as it is when just loaded.
class ModuleTest : public testing::Test {
 protected:
  ModuleTest();
  ~ModuleTest() override;

  // Initialize calls C_Initialize; pReserved is NULL where reserved is empty.
  CK_RV Initialize(const std::string& reserved = {}, CK_FLAGS flags = CKF_OS_LOCKING_OK);
  CK_RV InitializeAt(const std::filesystem::path& socket) {
    return Initialize("socket=" + socket.string());
  }
  // Start starts the broker with those keys and initialises the module at its socket.
  void Start(std::vector<FakeKey> keys = {EcKey("a.example.test", 1)});

  CK_SESSION_HANDLE Open(CK_FLAGS flags = CKF_SERIAL_SESSION);
  // Find gives all that C_FindObjects finds.
  std::vector<CK_OBJECT_HANDLE> Find(CK_SESSION_HANDLE session,
                                     std::vector<CK_ATTRIBUTE> wanted = {});
  // PrivateKey finds the private key with the key's CKA_ID.
  CK_OBJECT_HANDLE PrivateKey(CK_SESSION_HANDLE session, const FakeKey& key);

  // Sign is C_SignInit and C_Sign with room enough.
  Signed Sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_MECHANISM mechanism,
              std::span<const uint8_t> data);
  Signed SignDigest(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
    return Sign(session, key, {CKM_ECDSA, nullptr, 0}, Digest());
  }
  // Digest is 32 bytes to sign, RightSignature what the fake makes of data.
  static std::vector<uint8_t> Digest();
  static std::vector<uint8_t> RightSignature(const FakeKey& key, std::span<const uint8_t> data);

  TempDir dir_;
  const std::filesystem::path socket_ = dir_ / "socket";
  FakeBroker broker_{socket_};
  CK_FUNCTION_LIST* api_ = nullptr;
};

}  // namespace keybroker::test
