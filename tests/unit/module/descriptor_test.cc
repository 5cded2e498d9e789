#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using test::InChild;

std::set<int> OpenDescriptors() {
  std::set<int> open;
  DIR* folder = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(folder)) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != ::dirfd(folder)) open.insert(fd);
  }
  ::closedir(folder);
  return open;
}

// Hosts close every descriptor they do not know, and use the numbers for files of theirs. Each test
// is a host of its own, so that it may close what it likes.
class Descriptors : public test::ModuleTest {
 protected:
  void Host(const std::function<void()>& what) {
    ASSERT_NO_FATAL_FAILURE(Start({key_}));
    InChild([&] {
      const std::set<int> before = OpenDescriptors();
      session_ = Open();
      handle_ = PrivateKey(session_, key_);
      ExpectSigns();
      std::vector<int> made;
      const std::set<int> after = OpenDescriptors();
      std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                          std::back_inserter(made));
      ASSERT_EQ(made.size(), 1u) << "one connection is all that the module keeps open";
      connection_ = made[0];
      what();
    });
  }
  void ExpectSigns() {
    const auto made = SignDigest(session_, handle_);
    EXPECT_EQ(made.rv, CKR_OK);
    EXPECT_EQ(made.bytes, RightSignature(key_, Digest()));
  }
  // Replace puts the reading end of a pipe in the place of the module's connection.
  void ReplaceByPipe() {
    ASSERT_EQ(::pipe(pipe_), 0);
    ASSERT_EQ(::dup2(pipe_[1], connection_), connection_);
  }
  // The file under the connection's number is still the host's, and nobody wrote to it.
  void ExpectPipeUntouched() {
    struct stat ours {};
    struct stat under_number {};
    ASSERT_EQ(::fstat(pipe_[1], &ours), 0);
    ASSERT_EQ(::fstat(connection_, &under_number), 0) << "somebody closed it";
    EXPECT_EQ(ours.st_ino, under_number.st_ino);
    ASSERT_EQ(::fcntl(pipe_[0], F_SETFL, O_NONBLOCK), 0);
    char byte;
    EXPECT_EQ(::read(pipe_[0], &byte, 1), -1) << "somebody wrote to it";
  }

  const test::FakeKey key_ = test::EcKey("a.example.test", 1);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
  int connection_ = -1;
  int pipe_[2] = {-1, -1};
};

TEST_F(Descriptors, MayAllBeClosedByTheHost) {
  Host([this] {
    for (int round = 0; round < 3; ++round) {
      ASSERT_EQ(::close_range(3, ~0u, 0), 0);
      ExpectSigns();
      EXPECT_EQ(OpenDescriptors().size(), 4u) << "0, 1, 2 and the new connection";
    }
    ASSERT_EQ(::close_range(3, ~0u, 0), 0);
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  });
}

TEST_F(Descriptors, AreNotInheritedAcrossExec) {
  Host([this] { EXPECT_NE(::fcntl(connection_, F_GETFD) & FD_CLOEXEC, 0); });
}

TEST_F(Descriptors, OfTheHostAreLeftAloneUnderAConnectionsNumber) {
  Host([this] {
    ASSERT_NO_FATAL_FAILURE(ReplaceByPipe());
    ExpectSigns();
    ExpectPipeUntouched();
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    ExpectPipeUntouched();
  });
}

TEST_F(Descriptors, OfTheHostAreLeftAloneByFinalize) {
  Host([this] {
    ASSERT_NO_FATAL_FAILURE(ReplaceByPipe());
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    ExpectPipeUntouched();
  });
}

TEST_F(Descriptors, OfTheHostAreLeftAloneWhenTheTokenIsLookedFor) {
  Host([this] {
    ASSERT_NO_FATAL_FAILURE(ReplaceByPipe());
    CK_ULONG count = 0;
    EXPECT_EQ(api_->C_GetSlotList(CK_TRUE, nullptr, &count), CKR_OK);
    EXPECT_EQ(count, 1u);
    ExpectPipeUntouched();
  });
}

TEST_F(Descriptors, OfTheHostAreLeftAloneInAForkedChild) {
  Host([this] {
    ASSERT_NO_FATAL_FAILURE(ReplaceByPipe());
    InChild([this] {
      ExpectSigns();
      ExpectPipeUntouched();
    });
    ExpectPipeUntouched();
  });
}

// Another socket of the same kind, such as a second copy of the module might have.
TEST_F(Descriptors, ThatAreSocketsOfTheHostAreLeftAloneToo) {
  Host([this] {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    ASSERT_EQ(::dup2(ends[1], connection_), connection_);
    ASSERT_EQ(::close(ends[1]), 0);
    ExpectSigns();
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    char byte;
    EXPECT_EQ(::recv(ends[0], &byte, 1, MSG_DONTWAIT), -1) << "sent to, or closed";
    EXPECT_EQ(errno, EAGAIN);
  });
}

TEST_F(Descriptors, OfAChildsParentStayOpenInTheParent) {
  Host([this] {
    InChild([this] { ExpectSigns(); });
    const size_t open = OpenDescriptors().size();
    ExpectSigns();
    EXPECT_EQ(OpenDescriptors().size(), open);
  });
  EXPECT_EQ(broker_.connections(), 2u);
}

// As long as the host lives, however often brokers and calls come and go.
TEST_F(Descriptors, DoNotPileUp) {
  Host([this] {
    const size_t open = OpenDescriptors().size();
    for (int round = 0; round < 5; ++round) {
      InChild([this] { ExpectSigns(); });
      ASSERT_EQ(api_->C_Finalize(nullptr), CKR_OK);
      ASSERT_EQ(InitializeAt(socket_), CKR_OK);
      session_ = Open();
      ExpectSigns();
    }
    EXPECT_EQ(OpenDescriptors().size(), open);
  });
}

}  // namespace
}  // namespace keybroker::module
