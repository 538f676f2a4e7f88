#include "runtime/worker.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "runtime/stage_features.h"

namespace hsa {

namespace {

constexpr size_t kCacheLine = 64;

std::byte* AllocateAligned(uint64_t bytes) {
  const uint64_t rounded = (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kCacheLine, rounded == 0 ? kCacheLine : rounded));
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, rounded);
  return memory;
}

}  // namespace

Program::Stage Program::Find(std::string_view name, DType dtype) const {
  for (const format::Stage& stage : plan_.header().stages()) {
    if (stage.name() != name) continue;
    Stage found;
    if (!MissingFeatures(plan_.variant(), stage).empty()) return found;
    found.entry = plan_.entry(stage.typed() ? stage.entry() + "." + std::string(DTypeName(dtype)) : stage.entry());
    for (const format::Argument& argument : stage.arguments()) {
      const int port = argument.port().empty() ? -1 : PortIndex(argument.port());
      found.slots.push_back(port >= 0 ? port : static_cast<int>(kPorts.size() + argument.buffer()));
    }
    return found;
  }
  return {};
}

Worker::Worker(const Program& program)
    : header_(program.header()),
      arena_(AllocateAligned(header_.arena_bytes()), [](std::byte* memory) { std::free(memory); }),
      descriptors_(kPorts.size() + header_.buffers_size()) {
  // The shape of a buffer is told by the arguments that use it.
  for (const format::Stage& stage : header_.stages())
    for (const format::Argument& argument : stage.arguments()) {
      if (!argument.port().empty()) continue;
      Descriptor& descriptor = descriptors_[kPorts.size() + argument.buffer()];
      descriptor.allocated = descriptor.aligned = arena_.get() + header_.buffers(argument.buffer()).offset();
      const int rank = argument.shape_size();
      int64_t stride = 1;
      for (int i = rank - 1; i >= 0; --i) {
        descriptor.sizes_and_strides[i] = argument.shape(i);
        descriptor.sizes_and_strides[rank + i] = stride;
        stride *= argument.shape(i);
      }
    }
}

void Worker::Describe(int slot, void* data, std::initializer_list<int64_t> shape, int64_t row_stride) {
  Descriptor& descriptor = descriptors_[slot];
  descriptor.allocated = descriptor.aligned = data;
  const auto rank = static_cast<int>(shape.size());
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    const int64_t size = shape.begin()[i];
    descriptor.sizes_and_strides[i] = size;
    descriptor.sizes_and_strides[rank + i] = i == 0 && row_stride != 0 ? row_stride : stride;
    stride *= size;
  }
}

int Worker::BufferSlot(std::string_view name) const {
  for (int i = 0; i < header_.buffers_size(); ++i)
    if (header_.buffers(i).name() == name) return i;
  return -1;
}

float* Worker::Buffer(std::string_view name) const {
  const int slot = BufferSlot(name);
  return slot < 0 ? nullptr : static_cast<float*>(descriptors_[kPorts.size() + slot].aligned);
}

void Worker::Point(std::string_view name, float* data) {
  if (const int slot = BufferSlot(name); slot >= 0) {
    Descriptor& descriptor = descriptors_[kPorts.size() + slot];
    descriptor.allocated = descriptor.aligned = data;
  }
}

int64_t Worker::BufferFloats(std::string_view name) const {
  const int slot = BufferSlot(name);
  return slot < 0 ? 0 : static_cast<int64_t>(header_.buffers(slot).bytes() / sizeof(float));
}

void Worker::Call(const Program::Stage& stage) {
  std::array<void*, 32> arguments;  // plan format: at most 32
  for (size_t i = 0; i < stage.slots.size(); ++i) arguments[i] = &descriptors_[stage.slots[i]];
  stage.entry(arguments.data());
}

}  // namespace hsa
