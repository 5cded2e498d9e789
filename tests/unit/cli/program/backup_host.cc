#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {

using keybroker::test::Arguments;

void BackupHost::SetUp() {
  Host::SetUp();
  InitToken();
  MakeCa();
  std::filesystem::create_directory(File("safe"));
  Write("password", std::string(kBackupPassword) + "\n", 0600);
  Write("wrong", "another horse battery staple\n", 0600);
  Key(kName, "rsa");
  Key(kName, "ec");
}

void BackupHost::Key(const std::string& name, const std::string& type) const {
  Text({"key", "generate", name, "--type", type, "--exportable"});
  Text({"request", "create", name, "--type", type, "-o", File("k.csr")});
  Sign("k.csr", "DNS:" + name, "k.crt");
  Text({"certificate", "install", name, File("k.crt"), "--type", type, "--ca", File("ca.pem")});
}

Arguments BackupHost::With(Arguments arguments, const std::string& password_file) const {
  arguments.insert(arguments.end(), {"--password-file", File(password_file)});
  return arguments;
}

std::string BackupHost::Export(const std::string& type) const {
  const Json made = Answer(With({"backup", "export", kName, "--type", type, "-o", File("safe")}));
  EXPECT_EQ(made["backups"].size(), 1U) << made;
  return made["backups"].empty() ? "" : made["backups"][0]["file"].get<std::string>();
}

std::string BackupHost::Spki(const std::string& name, const std::string& type) const {
  return Answer({"key", "show", name, "--type", type})["keys"][0]["spki"];
}

}  // namespace keybroker::cli::test
