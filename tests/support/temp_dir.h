#pragma once

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace keybroker::test {

// TempDir is a folder of its own, mode 0700, with a short path (socket paths are limited to 107
// bytes), removed with everything in it.
class TempDir {
 public:
  TempDir() : TempDir("/tmp") {}
  explicit TempDir(const std::filesystem::path& parent) {
    std::string name = (parent / "kbt.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) abort();
    path_ = name;
  }
  // kSamePath: every one of this process, one at a time, has the same path, for files that name it.
  enum SamePath { kSamePath };
  explicit TempDir(SamePath) {
    static const std::string path = [] {
      const TempDir first;
      return first.path().string();
    }();
    if (::mkdir(path.c_str(), S_IRWXU) != 0) abort();
    path_ = path;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// MemoryDir is a parent for folders whose files need no disk: syncing there costs nothing.
inline std::filesystem::path MemoryDir() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

// ReadAll and WriteAll move a whole file, whatever its mode.
inline std::string ReadAll(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
inline void WriteAll(const std::filesystem::path& file, std::string_view content) {
  std::ofstream(file, std::ios::binary)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

}  // namespace keybroker::test
