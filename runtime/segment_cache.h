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

  // The segment, in memory for as long as the pointer lives; packed by the calling thread when it is not resident.
  std::shared_ptr<const KeyPanels> Pin(Worker& worker, Id id);

  int64_t packed() const { return packed_; }  // segments packed so far, again ones included

 private:
  struct Entry {
    std::shared_ptr<KeyPanels> panels;  // null while a thread packs it
    std::list<Id>::iterator age;
  };
  std::shared_ptr<KeyPanels> TakeRoom(std::unique_lock<std::mutex>& lock);

  const int64_t capacity_;
  const Pack pack_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Id, Entry> entries_;
  std::list<Id> ages_;  // least recently used first
  int64_t packed_ = 0;
};

}  // namespace hsa
