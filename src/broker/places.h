#pragma once

#include <algorithm>
#include <cstddef>

namespace keybroker::broker {

// kMostWorkers bounds the broker's workers: each has a connection of its own to every tokenhost,
// which takes 128 in all.
inline constexpr unsigned kMostWorkers = 120;

// PlacesAtEach is how many workers each of the tokens may occupy, of workers (the setting): all but
// one, or fewer where kMostWorkers would be passed. 0 is no limit: a single token has no other to
// leave anything to.
inline unsigned PlacesAtEach(unsigned workers, size_t tokens) {
  if (tokens < 2) return 0;
  const auto room = static_cast<unsigned>((kMostWorkers - 1) / tokens);
  return std::max(1U, std::min(workers - 1, room));
}

// WorkersFor is how many workers there are: for all places at once, and one. So whatever the other
// tokens hold, each has its places, and somebody reads what comes in, as long as there are fewer
// tokens than kMostWorkers.
inline unsigned WorkersFor(unsigned workers, size_t tokens) {
  if (tokens < 2) return workers;
  const size_t wanted = PlacesAtEach(workers, tokens) * tokens + 1;
  return static_cast<unsigned>(std::min<size_t>(wanted, kMostWorkers));
}

}  // namespace keybroker::broker
