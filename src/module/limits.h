#pragma once

#include <cstddef>
#include <cstdint>

namespace keybroker::module {

// kUnavailableBudgetMs is how long the calls of one process together wait in one outage.
inline constexpr uint64_t kUnavailableBudgetMs = 1000;

// kReplyTimeoutMs is the deadline of a request; a broker that has still not answered kReplyGraceMs
// later is taken for hung.
inline constexpr uint64_t kReplyTimeoutMs = 10'000;
inline constexpr uint64_t kReplyGraceMs = 500;

// kProbeTimeoutMs is how long Hello may take at least, and at most while the broker is taken for
// hung (Outage::GreetingMs): its socket still accepts connections.
inline constexpr uint64_t kProbeTimeoutMs = 100;

// kFreshMs is how old a catalogue may be before it is asked about again.
inline constexpr uint64_t kFreshMs = 1000;

// kMaxSearches is how many different searches may believe one answer of the broker.
inline constexpr size_t kMaxSearches = 8;

// kMaxIdleConnections are kept for later signatures; a burst's others are closed.
inline constexpr size_t kMaxIdleConnections = 64;

// kMaxKeys bounds what a catalogue may make a listener keep in memory.
inline constexpr uint32_t kMaxKeys = 100'000;

// kMaxCatalogueBytes bounds the same in bytes: 10,000 keys with certificates need a third of it.
inline constexpr size_t kMaxCatalogueBytes = size_t{64} * 1024 * 1024;

// kRefreshTimeoutMs is how long a catalogue may take: after that no further page is asked for.
inline constexpr uint64_t kRefreshTimeoutMs = kReplyTimeoutMs;

// kMaxTemplate bounds the attributes of a template: more is a wrong count, not a wish.
inline constexpr size_t kMaxTemplate = 4096;

}  // namespace keybroker::module
