#include "runtime/segment_cache.h"

namespace hsa {

// Room for one more segment: the memory of the least recently used one that nobody pins, once the capacity is reached.
std::unique_ptr<KeyPanels> SegmentCache::TakeRoom(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (static_cast<int64_t>(entries_.size()) < capacity_) return std::make_unique<KeyPanels>();
    for (const Id& id : ages_) {
      const auto entry = entries_.find(id);
      if (entry->second.panels == nullptr || entry->second.pins > 0) continue;
      std::unique_ptr<KeyPanels> memory = std::move(entry->second.panels);
      ages_.erase(entry->second.age);
      entries_.erase(entry);
      return memory;
    }
    changed_.wait(lock);
  }
}

std::shared_ptr<const KeyPanels> SegmentCache::PinLocked(Entry& entry) {
  ++entry.pins;
  return {entry.panels.get(), [this, &entry](const KeyPanels*) {
            const std::lock_guard lock(mutex_);
            if (--entry.pins == 0) changed_.notify_all();
          }};
}

std::shared_ptr<const KeyPanels> SegmentCache::Pin(Worker& worker, Id id) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) break;
    if (found->second.panels != nullptr) {
      ages_.splice(ages_.end(), ages_, found->second.age);
      return PinLocked(found->second);
    }
    changed_.wait(lock);  // another thread packs it
  }
  std::unique_ptr<KeyPanels> memory = TakeRoom(lock);
  if (entries_.contains(id)) {  // taken by another thread while this one waited for room, which it gives back
    changed_.notify_all();
    lock.unlock();
    return Pin(worker, id);
  }
  Entry& entry = entries_[id];
  entry.age = ages_.insert(ages_.end(), id);
  lock.unlock();
  pack_(worker, id, *memory);
  lock.lock();
  entry.panels = std::move(memory);
  ++packed_;
  changed_.notify_all();
  return PinLocked(entry);
}

}  // namespace hsa
