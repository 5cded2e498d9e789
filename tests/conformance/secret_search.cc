// Searches the memory of running processes for a PIN and for an RSA private key. The key is looked
// for without knowing it: memory that holds one of the two primes holds a number that divides the
// modulus, which is public. Used by scripts/demo, and by anybody who wants to check for himself.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
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

namespace {

constexpr char kUsage[] =
    "Usage: secret_search [--text-file FILE] [--certificate FILE.pem] PID...\n"
    "\n"
    "Reads the writable memory of each process and counts the places that hold the first line of\n"
    "FILE, and those that hold a prime factor of the RSA certificate's modulus. Prints one line a\n"
    "process: PID NAME, bytes read, both counts.\n"
    "\n"
    "Exit status: 0 nothing found; 1 something found; 2 wrong usage; 3 a process could not be\n"
    "read (that needs root).\n";

using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

// What is looked for; an empty text or no modulus: not looked for.
struct Wanted {
  std::string text;
  Number modulus{nullptr, BN_free};
};

struct Found {
  size_t bytes = 0;
  unsigned texts = 0;
  unsigned factors = 0;
};

// A prime of an RSA key has its highest bits set and is odd, so most windows need no division.
bool MayBePrime(const unsigned char* highest, const unsigned char* lowest) {
  return (*highest & 0xc0U) == 0xc0U && (*lowest & 1U) == 1U;
}

class FactorSearch {
 public:
  explicit FactorSearch(const BIGNUM* modulus)
      : modulus_(modulus), size_(static_cast<size_t>(BN_num_bytes(modulus)) / 2) {}

  // Primes stand in memory as OpenSSL's BIGNUM (least significant word first) or as the octets of
  // an encoding (most significant first, at any address).
  unsigned Count(const std::vector<unsigned char>& memory) {
    unsigned found = 0;
    for (size_t at = 0; at + size_ <= memory.size(); ++at) {
      const unsigned char* window = memory.data() + at;
      const unsigned char* last = window + size_ - 1;
      if (MayBePrime(window, last) && Divides(BN_bin2bn(window, Size(), candidate_.get()))) ++found;
      if (at % sizeof(BN_ULONG) == 0 && MayBePrime(last, window) &&
          Divides(BN_lebin2bn(window, Size(), candidate_.get()))) {
        ++found;
      }
    }
    return found;
  }

 private:
  int Size() const { return static_cast<int>(size_); }

  bool Divides(const BIGNUM* candidate) {
    return BN_mod(rest_.get(), modulus_, candidate, context_.get()) == 1 &&
           BN_is_zero(rest_.get()) == 1;
  }

  const BIGNUM* modulus_;
  size_t size_;
  Number candidate_{BN_new(), BN_free};
  Number rest_{BN_new(), BN_free};
  std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context_{BN_CTX_new(), BN_CTX_free};
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
    if (wanted.modulus) found.factors += FactorSearch(wanted.modulus.get()).Count(memory);
  }
  return found.bytes > 0;
}

std::string ProcessName(const std::string& pid) {
  std::ifstream comm("/proc/" + pid + "/comm");
  std::string name;
  std::getline(comm, name);
  return name;
}

Number ModulusOf(const char* certificate_file) {
  Number modulus(nullptr, BN_free);
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(certificate_file, "re"),
                                                       std::fclose);
  if (!file) return modulus;
  std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
  if (!certificate) return modulus;
  BIGNUM* n = nullptr;
  EVP_PKEY_get_bn_param(X509_get0_pubkey(certificate.get()), OSSL_PKEY_PARAM_RSA_N, &n);
  modulus.reset(n);
  return modulus;
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
    std::printf("%s %s: %zu bytes, text %u, factors %u\n", pid.c_str(), ProcessName(pid).c_str(),
                found.bytes, found.texts, found.factors);
    if (found.texts + found.factors > 0 && status == 0) status = 1;
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
      wanted.modulus = ModulusOf(argv[++i]);
      understood = wanted.modulus != nullptr;
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
