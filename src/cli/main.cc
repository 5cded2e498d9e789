#include <exception>

#include "cli/command.h"
#include "cli/wiping_memory.h"
#include "keybroker/base/log.h"
#include "keybroker/base/process.h"

int main(int argc, char** argv) {
  keybroker::SetLogName("keybroker");
  if (const auto hardened = keybroker::HardenProcess(); !hardened) {
    keybroker::LogError("cannot protect this process", hardened.error());
    return keybroker::cli::kExitFailed;
  }
  if (const auto wiping = keybroker::cli::WipeOpenSslMemory(); !wiping) {
    keybroker::LogError("cannot protect this process", wiping.error());
    return keybroker::cli::kExitFailed;
  }
  try {
    return keybroker::cli::RunCommandLine(argc, argv);
  } catch (const std::exception& error) {
    keybroker::Log(keybroker::LogLevel::kError, error.what());
    return keybroker::cli::kExitFailed;
  }
}
