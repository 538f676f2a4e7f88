#include "runtime/segment_cache.h"

namespace hsa {

// Room for one more segment: the memory of the least recently used one that nobody pins, once the capacity is reached.
std::shared_ptr<KeyPanels> SegmentCache::TakeRoom(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (static_cast<int64_t>(entries_.size()) < capacity_) return std::make_shared<KeyPanels>();
    for (const Id& id : ages_) {
      const auto entry = entries_.find(id);
      if (entry->second.panels == nullptr || entry->second.panels.use_count() > 1) continue;
      std::shared_ptr<KeyPanels> memory = std::move(entry->second.panels);
      ages_.erase(entry->second.age);
      entries_.erase(entry);
      return memory;
    }
    // A pin is dropped without a signal, so look again now and then.
    changed_.wait_for(lock, std::chrono::milliseconds(1));
  }
}

std::shared_ptr<const KeyPanels> SegmentCache::Pin(Worker& worker, Id id) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) break;
    if (found->second.panels != nullptr) {
      ages_.splice(ages_.end(), ages_, found->second.age);
      return found->second.panels;
    }
    changed_.wait(lock);  // another thread packs it
  }
  std::shared_ptr<KeyPanels> memory = TakeRoom(lock);
  if (entries_.contains(id)) {  // packed by another thread while this one waited for room
    lock.unlock();
    return Pin(worker, id);
  }
  entries_[id] = {nullptr, ages_.insert(ages_.end(), id)};
  lock.unlock();
  pack_(worker, id, *memory);
  lock.lock();
  entries_[id].panels = memory;
  ++packed_;
  changed_.notify_all();
  return memory;
}

}  // namespace hsa
