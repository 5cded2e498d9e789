#include "cli/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "keybroker/base/secret_file.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::cli {
namespace {

constexpr size_t kMaxPin = 255;  // bytes
constexpr uint8_t kControlC = 3;
constexpr uint8_t kControlD = 4;
constexpr uint8_t kBackspace = 8;
constexpr uint8_t kControlU = 21;
constexpr uint8_t kDelete = 127;

void Say(int tty, const std::string& text) {
  // A prompt that cannot be shown is no reason to stop.
  [[maybe_unused]] const ssize_t n = ::write(tty, text.data(), text.size());
}

// QuietTerminal switches echo, line editing and signal characters off, and back on when it goes:
// Control-C then arrives as a byte, and cannot leave the terminal without echo.
class QuietTerminal {
 public:
  explicit QuietTerminal(int tty) : tty_(tty), good_(::tcgetattr(tty, &before_) == 0) {
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    good_ = good_ && ::tcsetattr(tty, TCSAFLUSH, &quiet) == 0;
  }
  ~QuietTerminal() {
    if (good_) ::tcsetattr(tty_, TCSAFLUSH, &before_);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  bool good() const { return good_; }

 private:
  int tty_;
  termios before_{};
  bool good_;
};

// PromptTerminal has Control-C end the line as a byte instead of ending the process without a word,
// for a prompt whose answer may be seen.
class PromptTerminal {
 public:
  explicit PromptTerminal(int tty) : tty_(tty), good_(::tcgetattr(tty, &before_) == 0) {
    termios prompt = before_;
    prompt.c_lflag &= ~static_cast<tcflag_t>(ISIG);
    prompt.c_cc[VEOL] = kControlC;
    good_ = good_ && ::tcsetattr(tty, TCSADRAIN, &prompt) == 0;
  }
  ~PromptTerminal() {
    if (good_) ::tcsetattr(tty_, TCSADRAIN, &before_);
  }
  PromptTerminal(const PromptTerminal&) = delete;
  PromptTerminal& operator=(const PromptTerminal&) = delete;

 private:
  int tty_;
  termios before_{};
  bool good_;
};

// ReadByte gives the next byte, and none at the end of input. What comes later on a descriptor that
// does not block is waited for: a password that is cut short would still encrypt.
Result<std::optional<uint8_t>> ReadByte(int fd) {
  for (;;) {
    uint8_t byte = 0;
    const ssize_t n = ::read(fd, &byte, 1);
    if (n == 1) return byte;
    if (n == 0) return std::nullopt;
    if (errno == EAGAIN) {
      pollfd one{fd, POLLIN, 0};
      ::poll(&one, 1, -1);
    } else if (errno != EINTR) {
      return Fail(SystemError("cannot read what is given or typed", errno));
    }
  }
}

Result<Secret> ReadLine(int fd, bool edit, const std::string& word) {
  KB_ASSIGN(Secret secret, Secret::Allocate(kMaxPin));
  for (;;) {
    KB_ASSIGN(const auto next, ReadByte(fd));
    if (!next || *next == '\n' || *next == '\r') break;
    const uint8_t byte = *next;
    if (byte == 0) return Fail(Malformed("the " + word + " has a NUL byte in it"));
    if (edit && (byte == kControlC || byte == kControlD)) {
      return Fail(Denied("interrupted at the prompt for the " + word + ": nothing was changed"));
    }
    if (edit && (byte == kBackspace || byte == kDelete)) {
      secret.Truncate(secret.empty() ? 0 : secret.size() - 1);
    } else if (edit && byte == kControlU) {
      secret.Truncate(0);
    } else if (!secret.Append(byte)) {
      return Fail(
          Malformed("the " + word + " is longer than " + std::to_string(kMaxPin) + " bytes"));
    }
  }
  if (secret.empty()) return Fail(Malformed("the " + word + " is empty"));
  return secret;
}

Result<Secret> Prompt(int tty, const std::string& prompt, const std::string& word) {
  auto secret = [&]() -> Result<Secret> {
    const QuietTerminal quiet(tty);
    if (!quiet.good()) return Fail(SystemError("cannot switch the terminal's echo off", errno));
    // Only now: what is typed before the echo is off is thrown away.
    Say(tty, prompt + ": ");
    return ReadLine(tty, true, word);
  }();
  Say(tty, "\n");
  return secret;
}

Result<Secret> ReadDescriptor(const PinOptions& options) {
  const std::string number = std::to_string(options.fd);
  const std::string option = "--" + options.stem + "-fd " + number;
  if (::fcntl(options.fd, F_GETFD) < 0) {
    return Fail(WrongUsage(option + ": that descriptor is not open. A shell opens it: " + option +
                           " " + number + "<FILE"));
  }
  auto secret = ReadLine(options.fd, false, options.word);
  if (secret) return secret;
  Error error = std::move(secret).error();
  error.detail = option + ": " + error.detail;
  return Fail(std::move(error));
}

UniqueFd Terminal() { return UniqueFd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)); }

void AddOptions(const Command& command, PinOptions& options, const std::string& what) {
  command.Option("--" + options.stem + "-file", options.file,
                 "read " + what + " from a file's first line (mode 0600)");
  command.Option("--" + options.stem + "-fd", options.fd,
                 "read " + what + " from an open file descriptor's first line");
}

}  // namespace

void AddPinOptions(const Command& command, PinOptions& options, const std::string& prefix) {
  options.stem = prefix + "pin";
  const std::string what = prefix.empty() ? "the PIN" : "the " + prefix + "PIN";
  AddOptions(command, options, what);
}

void AddPasswordOptions(const Command& command, PinOptions& options) {
  options.stem = "password";
  options.word = "password";
  AddOptions(command, options, "the backup's password");
}

Result<Secret> AskPin(const PinOptions& options, const std::string& prompt, bool is_new) {
  if (!options.file.empty()) return ReadSecretFile(options.file);
  if (options.fd >= 0) return ReadDescriptor(options);
  const UniqueFd tty = Terminal();
  if (!tty) {
    return Fail(Denied("there is no terminal to ask for the " + prompt +
                       ": give a file (mode 0600) "
                       "with --" +
                       options.stem + "-file, or a descriptor with --" + options.stem + "-fd"));
  }
  KB_ASSIGN(Secret secret, Prompt(tty.get(), prompt, options.word));
  if (!is_new) return secret;
  KB_ASSIGN(const Secret again, Prompt(tty.get(), prompt + ", once more", options.word));
  if (!secret.Equals(again))
    return Fail(Malformed("the two are not the same; nothing was changed"));
  return secret;
}

Status Confirm(const std::string& what, const std::string& expected, bool yes) {
  if (yes) return {};
  const UniqueFd tty = Terminal();
  if (!tty) return Fail(Denied(what + ". Nothing was changed: say --yes if that is meant"));
  std::string line;
  {
    const PromptTerminal terminal(tty.get());
    Say(tty.get(), what + ".\nType " + expected + " to go on: ");
    for (;;) {
      KB_ASSIGN(const auto byte, ReadByte(tty.get()));
      if (!byte || *byte == '\n') break;
      line += static_cast<char>(*byte);
      if (*byte == kControlC) break;
    }
  }
  if (line.ends_with(static_cast<char>(kControlC))) {
    Say(tty.get(), "\n");
    return Fail(Denied("interrupted before it was confirmed: nothing was changed"));
  }
  if (line != expected)
    return Fail(Denied("that was not \"" + expected + "\": nothing was changed"));
  return {};
}

}  // namespace keybroker::cli
