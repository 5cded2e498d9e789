#include "broker/deed.h"

#include "keybroker/cryptoki/names.h"

namespace keybroker::broker {

Deed DeedOf(const View& view, const std::optional<ucred>& sender) {
  Deed deed;
  deed.listener = view.setup().policy.name;
  deed.uid = sender ? sender->uid : static_cast<uid_t>(-1);
  deed.pid = sender ? sender->pid : 0;
  return deed;
}

void Describe(Deed& deed, const wire::SignRequest& request, const ViewKey* key) {
  deed.mechanism = cryptoki::MechanismName(request.mechanism);
  if (key == nullptr) return;
  deed.key = key->name;
  deed.key_id = key->id_hex;
}

}  // namespace keybroker::broker
