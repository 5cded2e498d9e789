#pragma once

#include <string_view>

// Object identifiers of CMS backups, each whole as DER. docs/backup-format.md names them.
namespace keybroker::backup::oid {

using namespace std::string_view_literals;

// 1.2.840.113549.1.7 (RFC 5652)
inline constexpr auto kData = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"sv;
inline constexpr auto kSignedData = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"sv;
inline constexpr auto kEnvelopedData = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"sv;

// 1.2.840.113549.1.9: attributes (RFC 5652 section 11, RFC 5035 section 3)
inline constexpr auto kContentType = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"sv;
inline constexpr auto kMessageDigest = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"sv;
inline constexpr auto kSigningCertificateV2 =
    "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f"sv;
// kManifestOid
inline constexpr auto kDescription = "\x06\x03\x55\x04\x0d"sv;

// 2.16.840.1.101.3.4
inline constexpr auto kSha256 = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"sv;
inline constexpr auto kSha384 = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02"sv;
inline constexpr auto kSha512 = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03"sv;
inline constexpr auto kAes256Cbc = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a"sv;
inline constexpr auto kAes256WrapPad = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x30"sv;

// 1.2.840.113549.1.1 (RFC 8017), 1.2.840.10045.4.3 (RFC 5758)
inline constexpr auto kRsaEncryption = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv;
inline constexpr auto kRsaesOaep = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07"sv;
inline constexpr auto kMgf1 = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"sv;
inline constexpr auto kEcdsaSha256 = "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"sv;
inline constexpr auto kEcdsaSha384 = "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"sv;
inline constexpr auto kEcdsaSha512 = "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"sv;

}  // namespace keybroker::backup::oid
