// Every entry of one attention, compiled for one instruction set, and arrays to call them with.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hsa::ir {

// Memory whose last byte is followed by a page that nobody may touch: a kernel that reads or writes behind an array is killed.
class GuardedMemory {
 public:
  explicit GuardedMemory(size_t bytes);
  GuardedMemory(const GuardedMemory&) = delete;
  ~GuardedMemory();
  void* data() const { return data_; }

 private:
  void* pages_;
  size_t mapped_;
  void* data_;
};

// What an entry takes: a memref descriptor {allocated, aligned, offset, sizes, strides}.
class ArrayBase {
 public:
  ArrayBase(std::vector<int64_t> shape, int64_t row_stride, size_t element_bytes);
  const std::vector<int64_t>& shape() const { return shape_; }
  std::vector<int64_t> Descriptor() const;

 protected:
  int64_t At(std::initializer_list<int64_t> at) const;

  std::vector<int64_t> shape_, strides_;
  int64_t elements_;
  std::shared_ptr<GuardedMemory> memory_;  // of all copies; filled with 0xff: NaN, or -1, until somebody writes
};

// bf16 and f16 are uint16_t. row_stride: elements from one row of a 2-D array to the next, when there is a gap between them.
template <class T>
class Array : public ArrayBase {
 public:
  explicit Array(std::vector<int64_t> shape, int64_t row_stride = 0) : ArrayBase(std::move(shape), row_stride, sizeof(T)) {}
  template <class... Index>
  T& operator()(Index... at) const {
    return static_cast<T*>(memory_->data())[At({static_cast<int64_t>(at)...})];
  }
  void Fill(T value) const {
    for (int64_t i = 0; i < elements_; ++i) static_cast<T*>(memory_->data())[i] = value;
  }
};

struct KernelCase {
  std::string isa;  // "sse2", "avx2", "avx512"
  int64_t head_dim, value_dim;

  int64_t padded_head_dim() const { return (head_dim + 15) / 16 * 16; }
  int64_t padded_value_dim() const { return (value_dim + 15) / 16 * 16; }
};
inline constexpr int64_t kTileQueries = 64, kBands = 8;
void PrintTo(const KernelCase& test, std::ostream* out);

// sse2 and avx2 as they are; avx512 with its own instructions where this machine has them, else its 16 lanes in the registers of avx2.
std::vector<KernelCase> AllKernelCases();

class CompiledKernels {
 public:
  // Compiled on first use and kept for the life of the process.
  static const CompiledKernels& Of(const KernelCase& test);
  // Of another attention: a module with one function.
  static const CompiledKernels& Of(const std::string& isa, const std::string& graph);

  void Call(const std::string& entry, std::initializer_list<const ArrayBase*> arguments) const;

 private:
  CompiledKernels(const std::string& isa, const std::string& graph);

  void* code_ = nullptr;
  std::map<std::string, uint64_t> entries_;
};

}  // namespace hsa::ir
