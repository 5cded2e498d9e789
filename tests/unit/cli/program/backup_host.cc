#include "unit/cli/program/backup_host.h"

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>
#include <utility>

namespace keybroker::cli::test {

using keybroker::test::Arguments;

void SafeHost::Make() {
  Host::Make();
  InitToken();
  MakeSafe();
}

void SafeHost::MakeSafe() const {
  std::filesystem::create_directory(File("safe"));
  Write("password", std::string(kBackupPassword) + "\n", 0600);
  Write("wrong", "another horse battery staple\n", 0600);
}

void BackupHost::Make() {
  SafeHost::Make();
  MakeCa();
  Key(kName, "rsa");
  Key(kName, "ec");
}

void BackupHost::Key(const std::string& name, const std::string& type) const {
  Text({"key", "generate", name, "--type", type, "--exportable"});
  Text({"request", "create", name, "--type", type, "-o", File("k.csr")});
  Sign("k.csr", "DNS:" + name, "k.crt");
  Text({"certificate", "install", name, File("k.crt"), "--type", type, "--ca", File("ca.pem")});
}

Arguments SafeHost::With(Arguments arguments, const std::string& password_file) const {
  arguments.insert(arguments.end(), {"--password-file", File(password_file)});
  return arguments;
}

void BackupHost::KeyWithForeignCertificate(const std::string& name) const {
  const Json made = Answer({"key", "generate", name, "--exportable"});
  OpenSsl({"x509", "-in", File("ca.pem"), "-outform", "DER", "-out", File("ca.der")});
  const auto put = keybroker::test::RunCommand(
      {"pkcs11-tool", "--module", KB_SOFTHSM, "--login", "--pin", kPin, "--token-label", "stack",
       "--write-object", File("ca.der"), "--type", "cert", "--id", made["key"]["id"]},
      {{"SOFTHSM2_CONF", File("token/softhsm2.conf")}});
  ASSERT_EQ(put.status, 0) << put.err;
  GiveTokenFiles();
}

std::string BackupHost::Export(const std::string& type) const {
  const Json made = Answer(With({"backup", "export", kName, "--type", type, "-o", File("safe")}));
  EXPECT_EQ(made["backups"].size(), 1U) << made;
  return made["backups"].empty() ? "" : made["backups"][0]["file"].get<std::string>();
}

std::vector<std::filesystem::path> SafeHost::DrillFolders() {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    if (entry.path().filename().string().starts_with("keybroker-drill-")) {
      folders.push_back(entry.path());
    }
  }
  return folders;
}

void SafeHost::ExpectNoDrillFolderStays() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (const auto& folder : DrillFolders()) {
    while (std::filesystem::exists(folder) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_FALSE(std::filesystem::exists(folder)) << folder;
  }
}

bool SafeHost::IsInRecoveryTable(const std::string& text) {
  std::istringstream page(
      keybroker::test::ReadAll(std::string(KB_SOURCE_DIR) + "/docs/recovery.md"));
  const std::string gap = "…";
  bool in_table = false;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| ")) {
      in_table = in_table && line.starts_with("|");
      continue;
    }
    if (!std::exchange(in_table, in_table || line.starts_with("| it says |"))) continue;
    const std::string cell = line.substr(2, line.find(" |", 2) - 2);
    size_t found = 0;
    size_t from = 0;
    for (size_t at = 0; at <= cell.size() && found != std::string::npos;) {
      const size_t end = std::min(cell.find(gap, at), cell.size());
      const std::string piece = cell.substr(at, end - at);
      found = text.find(piece, from);
      from = found + piece.size();
      at = end + gap.size();
    }
    if (found != std::string::npos) return true;
  }
  return false;
}

std::string SafeHost::Spki(const std::string& name, const std::string& type) const {
  return Answer({"key", "show", name, "--type", type})["keys"][0]["spki"];
}

}  // namespace keybroker::cli::test
