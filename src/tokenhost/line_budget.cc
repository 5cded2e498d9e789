#include "tokenhost/line_budget.h"

namespace keybroker::tokenhost {

std::string LineBudget::Admit(const std::string& text, Clock::time_point now) {
  return state_.With([&](Window& window) -> std::string {
    unsigned before = 0;
    if (window.logged == 0 || now - window.start >= window_) {
      before = window.left_out;
      window = Window{now, 0, 0};
    }
    if (window.logged == lines_) {
      ++window.left_out;
      return {};
    }
    ++window.logged;
    if (before == 0) return text;
    return text + " (and " + std::to_string(before) + " more lines like it before)";
  });
}

}  // namespace keybroker::tokenhost
