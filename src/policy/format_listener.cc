#include <cstdio>

#include "keybroker/config/toml.h"
#include "keybroker/policy/listener.h"

namespace keybroker::policy {
namespace {

using config::TomlQuote;

template <typename List>
std::string QuotedList(const List& list) {
  std::string text = "[";
  for (const auto& item : list) {
    if (text.size() > 1) text += ", ";
    text += TomlQuote(std::string(item));
  }
  return text + "]";
}

// An option without a value stands there commented out, so that whoever reads the file sees it.
std::string Option(std::string_view key, const std::string& value, std::string_view example) {
  if (value.empty()) return "#" + std::string(key) + " = " + std::string(example) + "\n";
  return std::string(key) + " = " + TomlQuote(value) + "\n";
}

std::string Octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode) & 0777U);
  return text;
}

std::string FormatBinding(const Binding& binding) {
  std::string text = "\n[[binding]]\nkey = " + TomlQuote(binding.key) + "\n";
  if (binding.type) {
    text += "type = " + TomlQuote(cryptoki::KeyTypeName(*binding.type)) + "\n";
  } else {
    text += "#type = \"rsa\"\n";
  }
  return text + "mechanisms = " + QuotedList(binding.mechanisms) + "\n";
}

}  // namespace

std::string FormatListener(const Listener& listener) {
  std::string text =
      "# A keybroker listener (docs/policy.md). `keybroker reload` puts changes into force.\n"
      "\n[listener]\nname = " +
      TomlQuote(listener.name) +
      "\n"
      "# Users whose processes may ask, judged on every message. A server that loads its key as\n"
      "# root needs \"root\" here too.\n"
      "users = " +
      QuotedList(listener.users) + "\n";
  text += "# The socket; default: runtime_dir/NAME/socket of keybroker.toml.\n";
  text += Option("socket", listener.socket.native(), "\"/run/keybroker/NAME/socket\"");
  text += "# Who can connect to it; default: the broker's user and group, mode 0660.\n";
  text += Option("owner", listener.owner, "\"keybroker\"");
  text += Option("group", listener.group, "\"www-data\"");
  text += "mode = " + TomlQuote(Octal(listener.mode)) + "\n";
  text += "# Directories that processes of this listener chroot to: the socket is there as well.\n";
  if (listener.jails.empty()) {
    text += "#jails = [\"/var/spool/postfix\"]\n";
  } else {
    text += "jails = " + QuotedList(listener.jails) + "\n";
  }
  text +=
      "\n# Which keys it may sign with: a key name, the type (\"rsa\" or \"ec\"; left out: both) "
      "and\n# mechanisms: \"tls-server\", or PKCS#11 names such as \"CKM_ECDSA\"; or alone "
      "\"tls-handshake\":\n# only what a TLS server signs in a handshake.\n";
  for (const Binding& binding : listener.bindings) text += FormatBinding(binding);
  return text;
}

}  // namespace keybroker::policy
