// A PKCS#11 module for tests: SoftHSM with faults on demand, and a log of what was called. Its
// settings are variables of the environment, or lines "NAME=VALUE" of the file FAULTY_MODULE.env
// beside it, for a process that has nothing of its starter's environment.
//
// KB_FAULTY_LOG   file that gets the name of each call of interest, one a line
// KB_FAULTY_PLAN  file of lines "FUNCTION SKIP COUNT ACTION": after SKIP calls, the next COUNT
// calls
//                 of FUNCTION do ACTION: "hang", "crash", "gone" (the token is pulled out: from
//                 then on this process gets CKR_DEVICE_REMOVED), "lie", "keep" (an
//                 object that is to be destroyed stays, and CKR_OK is told), "loose" (a key that is
//                 unwrapped is EXTRACTABLE and may DECRYPT whatever was asked), or a CK_RV in
//                 decimal to return instead. The file is counted down before the action, so that a
//                 process that is started again goes on where the crashed one stopped.
// KB_FAULTY_LIE   file whose text the action "lie" writes to every descriptor that may be its
// host's
//                 channel, as that of a vendor's module which took its process over
// KB_FAULTY_WRITE_PROTECTED
//                 when set, the token says CKF_WRITE_PROTECTED and refuses whatever writes
// KB_FAULTY_ONE_PROCESS
//                 file whose lock C_Initialize takes and C_Finalize gives up, as a token that
//                 admits one process at a time; CKR_DEVICE_ERROR while another process has it
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "keybroker/cryptoki/cryptoki.h"

namespace {

constexpr char kReal[] = "/usr/lib/softhsm/libsofthsm2.so";

CK_FUNCTION_LIST* real = nullptr;
CK_FUNCTION_LIST faulty;

// Setting is a setting's value, nullptr when there is none; what it points to is never freed.
const char* Setting(const std::string& name) {
  if (const char* value = ::getenv(name.c_str())) return value;
  static const auto* const settings = [] {
    auto* read = new std::map<std::string, std::string>();
    Dl_info self{};
    if (::dladdr(&faulty, &self) == 0) return read;
    std::ifstream file(std::string(self.dli_fname) + ".env");
    for (std::string line; std::getline(file, line);) {
      const size_t equals = line.find('=');
      if (equals != std::string::npos) (*read)[line.substr(0, equals)] = line.substr(equals + 1);
    }
    return read;
  }();
  const auto found = settings->find(name);
  return found == settings->end() ? nullptr : found->second.c_str();
}

void LogCall(const std::string& function) {
  const char* path = Setting("KB_FAULTY_LOG");
  if (path == nullptr) return;
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return;
  const std::string line = function + "\n";
  if (::write(fd, line.data(), line.size()) < 0) ::abort();
  ::close(fd);
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  return text;
}

// Count takes one call of function off the plan's text and gives the action it is due, or nothing.
std::string Count(const std::string& function, std::string* plan) {
  std::istringstream lines(*plan);
  std::string left;
  std::string due;
  std::string name;
  std::string action;
  unsigned skip = 0;
  unsigned count = 0;
  while (lines >> name >> skip >> count >> action) {
    if (name == function && due.empty()) {
      if (skip > 0) {
        --skip;
      } else if (count > 0) {
        --count;
        due = action;
      }
    }
    if (count > 0) {
      std::ostringstream line;
      line << name << ' ' << skip << ' ' << count << ' ' << action << '\n';
      left += line.str();
    }
  }
  *plan = left;
  return due;
}

std::string TakeAction(const std::string& function) {
  const char* path = Setting("KB_FAULTY_PLAN");
  const int fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return "";
  ::flock(fd, LOCK_EX);
  std::string plan = ReadAll(fd);
  const std::string before = plan;
  std::string action = Count(function, &plan);
  if (plan != before && (::ftruncate(fd, 0) != 0 || ::pwrite(fd, plan.data(), plan.size(), 0) !=
                                                        static_cast<ssize_t>(plan.size()))) {
    ::abort();
  }
  ::close(fd);
  return action;
}

// Lie writes what the test has prepared to whatever this process has open, as an answer of its own.
[[noreturn]] void Lie() {
  const char* path = Setting("KB_FAULTY_LIE");
  const int from = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  const std::string text = ReadAll(from);
  for (int fd = 3; fd < 40; ++fd) {
    if (fd != from && ::write(fd, text.data(), text.size()) < 0) continue;
  }
  ::_exit(0);
}

// What Fault gives for an action that is its function's own to do.
constexpr CK_RV kKeep = CKR_VENDOR_DEFINED | 1;
constexpr CK_RV kLoose = CKR_VENDOR_DEFINED | 2;

// Fault logs the call and does what the plan says; CKR_OK: go on to the real function.
CK_RV Fault(const char* function) {
  static std::atomic<bool> gone = false;
  LogCall(function);
  const std::string action = TakeAction(function);
  if (action == "gone") gone = true;
  if (gone) return CKR_DEVICE_REMOVED;
  if (action.empty()) return CKR_OK;
  if (action == "lie") Lie();
  if (action == "crash") {
    ::signal(SIGSEGV, SIG_DFL);
    ::raise(SIGSEGV);
  }
  while (action == "hang") ::pause();
  if (action == "keep") return kKeep;
  if (action == "loose") return kLoose;
  return static_cast<CK_RV>(std::stoul(action));
}

// admitted is the lock that this process holds; -1: none, or the token admits everybody.
int admitted = -1;

bool Admit() {
  const char* path = Setting("KB_FAULTY_ONE_PROCESS");
  if (path == nullptr || admitted >= 0) return true;
  admitted = ::open(path, O_RDONLY | O_CLOEXEC);
  if (admitted >= 0 && ::flock(admitted, LOCK_EX | LOCK_NB) == 0) return true;
  ::close(admitted);
  admitted = -1;
  return false;
}

CK_RV Initialize(void* arguments) {
  const CK_RV rv = Fault("C_Initialize");
  if (rv == CKR_OK && !Admit()) {
    LogCall("one process too many");
    return CKR_DEVICE_ERROR;
  }
  return rv != CKR_OK ? rv : real->C_Initialize(arguments);
}

CK_RV Finalize(void* reserved) {
  const CK_RV rv = real->C_Finalize(reserved);
  if (admitted >= 0) ::close(admitted);
  admitted = -1;
  return rv;
}

bool IsWriteProtected() { return Setting("KB_FAULTY_WRITE_PROTECTED") != nullptr; }

CK_RV GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  CK_RV rv = Fault("C_GetTokenInfo");
  if (rv == CKR_OK) rv = real->C_GetTokenInfo(slot, info);
  if (rv == CKR_OK && IsWriteProtected()) info->flags |= CKF_WRITE_PROTECTED;
  return rv;
}

// A write-protected token opens no read-write session (PKCS#11 v2.40 section 5.6), and so nothing
// that needs one can be asked of it; C_InitToken needs none.
CK_RV InitToken(CK_SLOT_ID slot, unsigned char* pin, CK_ULONG size, unsigned char* label) {
  const CK_RV rv = Fault("C_InitToken");
  if (rv != CKR_OK) return rv;
  return IsWriteProtected() ? CK_RV{CKR_TOKEN_WRITE_PROTECTED}
                            : real->C_InitToken(slot, pin, size, label);
}

CK_RV OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void* application, CK_NOTIFY notify,
                  CK_SESSION_HANDLE* session) {
  const CK_RV rv = Fault("C_OpenSession");
  if (IsWriteProtected() && (flags & CKF_RW_SESSION) != 0) return CKR_TOKEN_WRITE_PROTECTED;
  return rv != CKR_OK ? rv : real->C_OpenSession(slot, flags, application, notify, session);
}

CK_RV Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char* pin, CK_ULONG size) {
  const CK_RV rv = Fault(user == CKU_CONTEXT_SPECIFIC ? "C_Login:context" : "C_Login");
  return rv != CKR_OK ? rv : real->C_Login(session, user, pin, size);
}

CK_RV CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE* object, CK_ULONG count,
                   CK_OBJECT_HANDLE* handle) {
  const CK_RV rv = Fault("C_CreateObject");
  return rv != CKR_OK ? rv : real->C_CreateObject(session, object, count, handle);
}

CK_RV DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  const CK_RV rv = Fault("C_DestroyObject");
  if (rv == kKeep) return CKR_OK;
  return rv != CKR_OK ? rv : real->C_DestroyObject(session, object);
}

CK_RV SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE* values,
                        CK_ULONG count) {
  const CK_RV rv = Fault("C_SetAttributeValue");
  return rv != CKR_OK ? rv : real->C_SetAttributeValue(session, object, values, count);
}

CK_RV GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_ATTRIBUTE* key,
                  CK_ULONG count, CK_OBJECT_HANDLE* handle) {
  const CK_RV rv = Fault("C_GenerateKey");
  return rv != CKR_OK ? rv : real->C_GenerateKey(session, mechanism, key, count, handle);
}

CK_RV WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE kek,
              CK_OBJECT_HANDLE key, unsigned char* out, CK_ULONG* size) {
  const CK_RV rv = Fault("C_WrapKey");
  return rv != CKR_OK ? rv : real->C_WrapKey(session, mechanism, kek, key, out, size);
}

// UnwrapLoosely is a token that takes a template for advice.
CK_RV UnwrapLoosely(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE kek,
                    unsigned char* wrapped, CK_ULONG size, CK_ATTRIBUTE* object, CK_ULONG count,
                    CK_OBJECT_HANDLE* handle) {
  static CK_BBOOL yes = CK_TRUE;
  std::vector<CK_ATTRIBUTE> loose(object, object + count);
  for (CK_ATTRIBUTE& attribute : loose) {
    if (attribute.type == CKA_EXTRACTABLE || attribute.type == CKA_DECRYPT) attribute.pValue = &yes;
  }
  return real->C_UnwrapKey(session, mechanism, kek, wrapped, size, loose.data(), count, handle);
}

CK_RV UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE kek,
                unsigned char* wrapped, CK_ULONG size, CK_ATTRIBUTE* object, CK_ULONG count,
                CK_OBJECT_HANDLE* handle) {
  const CK_RV rv = Fault("C_UnwrapKey");
  if (rv == kLoose)
    return UnwrapLoosely(session, mechanism, kek, wrapped, size, object, count, handle);
  return rv != CKR_OK
             ? rv
             : real->C_UnwrapKey(session, mechanism, kek, wrapped, size, object, count, handle);
}

CK_RV FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE* match, CK_ULONG count) {
  const CK_RV rv = Fault("C_FindObjectsInit");
  return rv != CKR_OK ? rv : real->C_FindObjectsInit(session, match, count);
}

CK_RV SignInit(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
  const CK_RV rv = Fault("C_SignInit");
  return rv != CKR_OK ? rv : real->C_SignInit(session, mechanism, key);
}

CK_RV Sign(CK_SESSION_HANDLE session, unsigned char* in, CK_ULONG size, unsigned char* out,
           CK_ULONG* out_size) {
  // A call that only asks for the length is no signature.
  const CK_RV rv = out == nullptr ? CK_RV{CKR_OK} : Fault("C_Sign");
  return rv != CKR_OK ? rv : real->C_Sign(session, in, size, out, out_size);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  if (real == nullptr) {
    void* library = ::dlopen(kReal, RTLD_NOW | RTLD_LOCAL);
    void* symbol = library == nullptr ? nullptr : ::dlsym(library, "C_GetFunctionList");
    if (symbol == nullptr) return CKR_GENERAL_ERROR;
    const CK_RV rv = reinterpret_cast<CK_C_GetFunctionList>(symbol)(&real);
    if (rv != CKR_OK) return rv;
  }
  faulty = *real;
  faulty.C_Initialize = Initialize;
  faulty.C_Finalize = Finalize;
  faulty.C_GetFunctionList = C_GetFunctionList;
  faulty.C_GetTokenInfo = GetTokenInfo;
  faulty.C_InitToken = InitToken;
  faulty.C_OpenSession = OpenSession;
  faulty.C_Login = Login;
  faulty.C_CreateObject = CreateObject;
  faulty.C_DestroyObject = DestroyObject;
  faulty.C_SetAttributeValue = SetAttributeValue;
  faulty.C_GenerateKey = GenerateKey;
  faulty.C_WrapKey = WrapKey;
  faulty.C_UnwrapKey = UnwrapKey;
  faulty.C_FindObjectsInit = FindObjectsInit;
  faulty.C_SignInit = SignInit;
  faulty.C_Sign = Sign;
  *list = &faulty;
  return CKR_OK;
}
