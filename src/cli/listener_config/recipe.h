#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"

namespace keybroker::cli {

// Library is the TLS library of a server: OpenSSL reads references, GnuTLS PKCS#11 URIs.
enum class Library { kOpenSsl, kGnuTls };

// Recipe is how one kind of server gets its key: what `listener config` writes, what `listener
// check` connects to, and what docs/listeners/ shows. The texts are templates (template.h) with the
// names
//
//   DIR LISTENER KEY SOCKET MODULE ENGINE PROVIDER   one value each
//   REFERENCE URI         a reference file's path, and the key's PKCS#11 URI, for each key
//   FIRST SECOND          the first and the second of REFERENCE; none when there is no such key
//
// and every line of a snippet is the server's own language, pitfalls as its comments.
struct Recipe {
  std::string_view kind;     // the word after --for, and the name of the page
  std::string_view program;  // as people call it
  Library library = Library::kOpenSsl;
  std::string_view users;              // that the listener must admit, separated by a space
  std::string_view who;                // reads the key, and signs: a sentence for the table
  std::string_view jail{};             // Debian's chroot of it; empty: none
  std::string_view reference_group{};  // alone may read the reference; empty: everybody may
  std::string_view unit{};      // systemd's, to get OPENSSL_CONF; empty: a setting in snippet
  bool both_types = true;       // serves an RSA and an EC key at once
  std::string_view port{};      // where listener check finds it on this host; empty: anywhere
  std::string_view starttls{};  // smtp, imap, ...; empty: TLS from the first byte
  std::string_view where;       // the snippet's lines go
  std::string_view apply;       // makes the server take it; empty: depends
  std::string_view snippet;
  std::string_view
      provider_snippet{};  // by pkcs11-provider, where that is another; empty: the same
};

// AllRecipes lists them in the order of the documentation.
const std::vector<const Recipe*>& AllRecipes();

// FindRecipe finds one by its kind; Malformed lists the kinds.
Result<const Recipe*> FindRecipe(std::string_view kind);

// RecipeKinds is "nginx|apache|...".
std::string RecipeKinds();

extern const Recipe kNginx;
extern const Recipe kApache;
extern const Recipe kHaproxy;
extern const Recipe kStunnel;
extern const Recipe kPostfix;
extern const Recipe kDovecot;
extern const Recipe kNnrpd;
extern const Recipe kExim;
extern const Recipe kGenericOpenssl;
extern const Recipe kGenericGnutls;

}  // namespace keybroker::cli
