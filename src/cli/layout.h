#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::cli {

// MakeDirectory makes path and what is missing above it (0755), and gives path this mode, and this
// owner when we are root. A directory that is there already keeps mode and owner, except that a
// symbolic link or a file in its place is refused. Root gives a directory away only in a place that
// root alone can write to (Denied elsewhere), so that no other user can swap what it is given for.
Status MakeDirectory(const std::filesystem::path& path, const std::string& owner, mode_t mode);

// MakeStateDirectories makes those that the operator's commands write to: his audit log's, and the
// token user's.
Status MakeStateDirectories(const config::Settings& settings);

// What becomes part of a path may be the answer of a token's process, which is hostile: CheckFileId
// and the paths below throw std::invalid_argument for a CKA_ID that is no hexadecimal and for a key
// name that is none (CheckKeyName).
void CheckFileId(std::string_view id_hex);

// ChainFile is where the chain of the key with this CKA_ID is kept for reference files;
// ReferenceFile is where `reference write` puts one unless told otherwise. Beside keybroker.toml.
// ListenerDirectory is where `listener config` suggests to write a listener's files.
// ReferenceFileName is such a file's name without its directory.
std::filesystem::path ChainFile(const config::Settings& settings, std::string_view key,
                                cryptoki::KeyType type, std::string_view id_hex);
std::filesystem::path ReferenceFile(const config::Settings& settings, std::string_view key,
                                    cryptoki::KeyType type, std::string_view listener);
std::filesystem::path ListenerDirectory(const config::Settings& settings,
                                        std::string_view listener);
std::string ReferenceFileName(std::string_view key, cryptoki::KeyType type);

}  // namespace keybroker::cli
