#include "support/module_fixture.h"

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace keybroker::test {
namespace {

constexpr unsigned kChildSeconds = 60;

}  // namespace

CK_FUNCTION_LIST* LoadModule(const std::filesystem::path& copy) {
  std::filesystem::copy_file(KB_MODULE_PATH, copy);
  void* library = ::dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", ::dlerror());
    std::abort();
  }
  auto* get_list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* list = nullptr;
  if (get_list == nullptr || get_list(&list) != CKR_OK) std::abort();
  return list;
}

void InChild(const std::function<void()>& what) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::alarm(kChildSeconds);
    what();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "the child's wait status";
}

ModuleTest::ModuleTest() : api_(LoadModule(dir_ / "module.so")) {}

ModuleTest::~ModuleTest() { api_->C_Finalize(nullptr); }

CK_RV ModuleTest::Initialize(const std::string& reserved, CK_FLAGS flags) {
  std::string text = reserved;
  CK_C_INITIALIZE_ARGS args{};
  args.flags = flags;
  if (!text.empty()) args.pReserved = text.data();
  return api_->C_Initialize(&args);
}

void ModuleTest::Start(std::vector<FakeKey> keys) {
  broker_.SetKeys(std::move(keys));
  broker_.Start();
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
}

CK_SESSION_HANDLE ModuleTest::Open(CK_FLAGS flags) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  EXPECT_EQ(api_->C_OpenSession(0, flags, nullptr, nullptr, &session), CKR_OK);
  return session;
}

std::vector<CK_OBJECT_HANDLE> ModuleTest::Find(CK_SESSION_HANDLE session,
                                               std::vector<CK_ATTRIBUTE> wanted) {
  std::vector<CK_OBJECT_HANDLE> found;
  EXPECT_EQ(api_->C_FindObjectsInit(session, wanted.data(), wanted.size()), CKR_OK);
  CK_OBJECT_HANDLE some[16];
  CK_ULONG count = 0;
  do {
    EXPECT_EQ(api_->C_FindObjects(session, some, 16, &count), CKR_OK);
    found.insert(found.end(), some, some + count);
  } while (count != 0);
  EXPECT_EQ(api_->C_FindObjectsFinal(session), CKR_OK);
  return found;
}

CK_OBJECT_HANDLE ModuleTest::PrivateKey(CK_SESSION_HANDLE session, const FakeKey& key) {
  const CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
  const auto found = Find(session, {Attribute(CKA_CLASS, private_key), Attribute(CKA_ID, key.id)});
  EXPECT_EQ(found.size(), 1u);
  return found.size() == 1 ? found[0] : CK_INVALID_HANDLE;
}

Signed ModuleTest::Sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_MECHANISM mechanism,
                        std::span<const uint8_t> data) {
  Signed made;
  made.rv = api_->C_SignInit(session, &mechanism, key);
  if (made.rv != CKR_OK) return made;
  made.bytes.resize(2048);
  CK_ULONG size = made.bytes.size();
  made.rv = api_->C_Sign(session, const_cast<uint8_t*>(data.data()), data.size(), made.bytes.data(),
                         &size);
  made.bytes.resize(made.rv == CKR_OK ? size : 0);
  return made;
}

std::vector<uint8_t> ModuleTest::Digest() {
  std::vector<uint8_t> digest(32);
  for (size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<uint8_t>(31 + i);
  return digest;
}

std::vector<uint8_t> ModuleTest::RightSignature(const FakeKey& key, std::span<const uint8_t> data) {
  return FakeSignature(key.ref(), data, cryptoki::SignatureSize(key.type, key.bits));
}

}  // namespace keybroker::test
