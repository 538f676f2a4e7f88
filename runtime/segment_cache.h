// Keeps the segments of keys that were used last as f32 panels in memory, within a byte budget. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "runtime/rows.h"

namespace hsa {

class SegmentCache {
 public:
  struct Id {
    int64_t kv_head = 0, segment = 0;
    auto operator<=>(const Id&) const = default;
  };
  using Pack = std::function<void(Worker&, Id, KeyPanels&)>;

  // Resident segments never exceed `capacity` of them, pinned ones included; capacity is at least the number of threads that pin.
  SegmentCache(int64_t capacity, Pack pack) : capacity_(capacity), pack_(std::move(pack)) {}

  // The segment, in memory for as long as the pointer lives, which must not outlive the cache; packed by the calling thread when it is not
  // resident. Waits for another thread to drop its pointer when all of the capacity is pinned.
  std::shared_ptr<const KeyPanels> Pin(Worker& worker, Id id);

  int64_t packed() const { return packed_; }  // segments packed so far, again ones included

 private:
  struct Entry {
    std::unique_ptr<KeyPanels> panels;  // null while a thread packs it
    int64_t pins = 0;                   // pointers to it: while there are any, the entry stays where it is
    std::list<Id>::iterator age;
  };
  std::unique_ptr<KeyPanels> TakeRoom(std::unique_lock<std::mutex>& lock);
  std::shared_ptr<const KeyPanels> PinLocked(Entry& entry);

  const int64_t capacity_;
  const Pack pack_;
  std::mutex mutex_;
  std::condition_variable changed_;  // a segment was packed, or room was made
  std::map<Id, Entry> entries_;
  std::list<Id> ages_;  // least recently used first
  int64_t packed_ = 0;
};

}  // namespace hsa
