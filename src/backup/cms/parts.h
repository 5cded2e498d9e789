#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {

// CmsParts are views of what a CMS file says that is not the same in all of them. Whether the rest
// is as the format has it, encoding them again tells.
struct CmsParts {
  std::string_view manifest;
  std::vector<token::Bytes> certificate_hashes;  // of the attribute, the leaf's first
  std::vector<token::Bytes> certificates;        // whole, in the file's order
  token::Bytes recipients;                       // contents of RecipientInfos
  token::Bytes encryption;                       // contents of the content's AlgorithmIdentifier
  token::Bytes wrapped;
  token::Bytes signature;
};

// TakeApart gives nothing when the bytes have not the format's shape.
std::optional<CmsParts> TakeApart(std::string_view bytes);

}  // namespace keybroker::backup
