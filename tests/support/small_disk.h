#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <filesystem>
#include <string>

#include "support/temp_dir.h"

namespace keybroker::test {

// SmallDisk is a file system of 64 KiB of its own, mounted over a folder, which it makes when it is
// not there; gone at the end of its life. Mounting needs root.
class SmallDisk {
 public:
  // options go to mount(8) as well: "uid=64002".
  explicit SmallDisk(std::filesystem::path folder, const std::string& options = "")
      : folder_(std::move(folder)) {
    std::filesystem::create_directory(folder_);
    const std::string all = "size=64k,mode=0755" + (options.empty() ? "" : "," + options);
    EXPECT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, all.c_str()), 0) << folder_;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { ::umount2(folder_.c_str(), MNT_DETACH); }

  // Fill takes all the room that is left; MakeRoom gives it back.
  void Fill() const {
    WriteAll(folder_ / "fill", std::string(1 << 20, 'x'));
    EXPECT_EQ(std::filesystem::space(folder_).available, 0U);
  }
  void MakeRoom() const { std::filesystem::remove(folder_ / "fill"); }

 private:
  std::filesystem::path folder_;
};

}  // namespace keybroker::test
