// An allocator for large arrays that are walked from end to end: blocks of 2 MiB and more start at a huge page and ask the system for huge pages.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

namespace hsa {

template <typename T>
struct HugePages {
  using value_type = T;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;

  HugePages() = default;
  template <typename U>
  HugePages(const HugePages<U>&) {}  // NOLINT: allocators convert

  static std::size_t Alignment(std::size_t count) { return count * sizeof(T) >= kHugePage ? kHugePage : 64; }

  T* allocate(std::size_t count) {
    void* memory = ::operator new(count * sizeof(T), std::align_val_t{Alignment(count)});
    // A system without huge pages says no, and nothing changes but the speed.
    if (count * sizeof(T) >= kHugePage) madvise(memory, count * sizeof(T) / kHugePage * kHugePage, MADV_HUGEPAGE);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) { ::operator delete(memory, std::align_val_t{Alignment(count)}); }

  bool operator==(const HugePages&) const { return true; }
};

// The same for arrays whose every element is written before it is read: resize() leaves what is there.
template <typename T>
struct UnfilledPages : HugePages<T> {
  using value_type = T;
  UnfilledPages() = default;
  template <typename U>
  UnfilledPages(const UnfilledPages<U>&) {}  // NOLINT: allocators convert

  template <typename U>
  void construct(U* element) {
    ::new (static_cast<void*>(element)) U;
  }
  template <typename U, typename... Arguments>
  void construct(U* element, Arguments&&... arguments) {
    ::new (static_cast<void*>(element)) U(std::forward<Arguments>(arguments)...);
  }
};

}  // namespace hsa
