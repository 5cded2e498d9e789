#include "keybroker/ipc/unix_address.h"

#include <gtest/gtest.h>

#include <string>

namespace keybroker::ipc {
namespace {

std::string NameIn(const UnixAddress& address) {
  const auto* un = reinterpret_cast<const sockaddr_un*>(address.get());
  EXPECT_EQ(un->sun_family, AF_UNIX);
  return {un->sun_path, address.size() - offsetof(sockaddr_un, sun_path)};
}

TEST(UnixAddress, OfAPathHasAtMost107Bytes) {
  const std::string longest = "/" + std::string(106, 'x');
  const auto address = UnixAddress::OfPath(longest);
  ASSERT_TRUE(address);
  EXPECT_EQ(NameIn(*address), longest);
  for (const std::string& wrong : {std::string(), longest + "x"}) {
    const auto refused = UnixAddress::OfPath(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, ErrorCode::kMalformed);
    EXPECT_EQ(refused.error().detail, "the socket path \"" + wrong + "\" has " +
                                          std::to_string(wrong.size()) +
                                          " bytes; unix(7) allows 1 to 107: choose a shorter one");
  }
}

TEST(UnixAddress, OfANotifySocketIsAPathOrAnAbstractName) {
  EXPECT_EQ(NameIn(*UnixAddress::OfNotifySocket("/run/notify")), "/run/notify");
  EXPECT_EQ(NameIn(*UnixAddress::OfNotifySocket("@name")), std::string("\0name", 5));
  for (const std::string& wrong :
       {std::string(), std::string("/"), std::string("@"), std::string("relative"),
        std::string("vsock:2:1234"), "@" + std::string(107, 'x')}) {
    EXPECT_FALSE(UnixAddress::OfNotifySocket(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace keybroker::ipc
