// Searches the memory of running processes for a PIN and for private keys. A key is looked for
// without knowing it: memory that holds one of an RSA key's primes holds a number that divides the
// modulus, and an EC key's scalar makes the public point. Used by scripts/demo, and by anybody who
// wants to check for himself.
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/key_search.h"

namespace {

using keybroker::test::KeySearch;
using keybroker::test::MakeKeySearch;

constexpr char kUsage[] =
    "Usage: secret_search [--text-file FILE] [--certificate FILE.pem]... PID...\n"
    "\n"
    "Reads the writable memory of each process and counts the places that hold the first line of\n"
    "FILE, and those that hold the private key of a certificate: a prime factor of its RSA "
    "modulus,\n"
    "or its EC scalar. Prints one line a process: PID NAME, bytes read, both counts.\n"
    "\n"
    "Exit status: 0 nothing found; 1 something found; 2 wrong usage; 3 a process could not be\n"
    "read (that needs root).\n";

// What is looked for; an empty text: none.
struct Wanted {
  std::string text;
  std::vector<std::unique_ptr<KeySearch>> keys;
};

struct Found {
  size_t bytes = 0;
  unsigned texts = 0;
  unsigned keys = 0;
};

unsigned CountText(const std::vector<unsigned char>& memory, const std::string& text) {
  unsigned found = 0;
  auto at = memory.begin();
  while ((at = std::search(at, memory.end(), text.begin(), text.end())) != memory.end()) {
    ++found;
    ++at;
  }
  return found;
}

// Reads one mapping; what cannot be read (a hole, a device) is left out.
std::vector<unsigned char> ReadMapping(std::FILE* mem, uint64_t begin, uint64_t end) {
  std::vector<unsigned char> bytes(end - begin);
  if (fseeko(mem, static_cast<off_t>(begin), SEEK_SET) != 0) return {};
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), mem));
  return bytes;
}

bool SearchProcess(const std::string& pid, const Wanted& wanted, Found& found) {
  std::ifstream maps("/proc/" + pid + "/maps");
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> mem(
      std::fopen(("/proc/" + pid + "/mem").c_str(), "rbe"), std::fclose);
  if (!maps || !mem) return false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    std::array<char, 5> rights{};
    if (std::sscanf(line.c_str(), "%llx-%llx %4s", &begin, &end, rights.data()) != 3) continue;
    if (rights[1] != 'w') continue;
    std::vector<unsigned char> memory = ReadMapping(mem.get(), begin, end);
    found.bytes += memory.size();
    if (!wanted.text.empty()) found.texts += CountText(memory, wanted.text);
    for (const auto& key : wanted.keys) found.keys += key->Count(memory);
  }
  return found.bytes > 0;
}

std::string ProcessName(const std::string& pid) {
  std::ifstream comm("/proc/" + pid + "/comm");
  std::string name;
  std::getline(comm, name);
  return name;
}

std::unique_ptr<KeySearch> SearchFor(const char* certificate_file) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(certificate_file, "re"),
                                                       std::fclose);
  if (!file) return nullptr;
  std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
  return certificate ? MakeKeySearch(X509_get0_pubkey(certificate.get())) : nullptr;
}

int Search(const Wanted& wanted, const std::vector<std::string>& pids) {
  int status = 0;
  for (const std::string& pid : pids) {
    Found found;
    if (!SearchProcess(pid, wanted, found)) {
      std::fprintf(stderr, "secret_search: the memory of process %s cannot be read\n", pid.c_str());
      status = 3;
      continue;
    }
    std::printf("%s %s: %zu bytes, text %u, private key %u\n", pid.c_str(),
                ProcessName(pid).c_str(), found.bytes, found.texts, found.keys);
    if (found.texts + found.keys > 0 && status == 0) status = 1;
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  Wanted wanted;
  std::vector<std::string> pids;
  bool understood = true;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument == "--text-file" && i + 1 < argc) {
      std::ifstream file(argv[++i]);
      understood = std::getline(file, wanted.text) && !wanted.text.empty();
    } else if (argument == "--certificate" && i + 1 < argc) {
      wanted.keys.push_back(SearchFor(argv[++i]));
      understood = wanted.keys.back() != nullptr;
    } else {
      pids.emplace_back(argument);
    }
    if (!understood) break;
  }
  if (!understood || pids.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  return Search(wanted, pids);
}
