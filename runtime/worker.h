// Calls the stages of a plan: ports are bound to memory by name, buffers live in the worker's own arena.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/plan.h"
#include "runtime/ports.h"
#include "runtime/tensor.h"

namespace hsa {

// A name of ports.h, looked up while compiling.
struct Port {
  int index;
  consteval Port(const char* name) : index(PortIndex(name)) {  // NOLINT: a literal is a port
    if (index < 0) throw "no such port";
  }
};

// The stages of one plan, resolved for the element type of a run's inputs. Immutable; must not outlive the plan.
class Program {
 public:
  struct Stage {
    EntryPoint entry = nullptr;
    std::vector<int> slots;  // of each argument: a port, or kPorts.size() + a buffer
  };

  explicit Program(const Plan& plan) : plan_(plan) {}

  // The stage, its entry for `dtype` where it is typed. The plan's checker has proved that entries exist; a stage that a plan lacks is empty, and so
  // is one whose features this process has not got.
  Stage Find(std::string_view name, DType dtype = DType::kF32) const;

  const format::PlanHeader& header() const { return plan_.header(); }

 private:
  const Plan& plan_;
};

// One thread's scratch and bindings. Not thread-safe.
class Worker {
 public:
  explicit Worker(const Program& program);

  // Binds a port to contiguous memory of this shape; `row_stride`, in elements, is the distance of the leading dimension's elements.
  template <typename T>
  void Bind(Port port, const T* data, std::initializer_list<int64_t> shape) {
    Describe(port.index, const_cast<void*>(static_cast<const void*>(data)), shape, 0);
  }
  template <typename T>
  void BindStrided(Port port, const T* data, std::initializer_list<int64_t> shape, int64_t row_stride) {
    Describe(port.index, const_cast<void*>(static_cast<const void*>(data)), shape, row_stride);
  }

  // Memory of a buffer of the plan, by name: null when the plan has none. Point moves it elsewhere, until it is moved again.
  float* Buffer(std::string_view name) const;
  void Point(std::string_view name, float* data);
  int64_t BufferFloats(std::string_view name) const;

  // Queries of the worker's tile: what stages of a tile work on.
  void SetTileRows(int64_t rows) { tile_rows_ = static_cast<int32_t>(rows), Bind("tile_rows", &tile_rows_, {1}); }

  void Call(const Program::Stage& stage);

 private:
  struct Descriptor {  // MLIR's, for any rank up to 4: allocated, aligned, offset, sizes[rank], strides[rank]
    void* allocated = nullptr;
    void* aligned = nullptr;
    int64_t offset = 0;
    std::array<int64_t, 8> sizes_and_strides{};
  };

  void Describe(int slot, void* data, std::initializer_list<int64_t> shape, int64_t row_stride);
  int BufferSlot(std::string_view name) const;

  const format::PlanHeader& header_;
  int32_t tile_rows_ = 0;
  std::unique_ptr<std::byte[], void (*)(std::byte*)> arena_;
  std::vector<Descriptor> descriptors_;  // ports, then buffers
};

}  // namespace hsa
