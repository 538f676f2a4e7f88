// Long inputs out of short ones.
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "runtime/element.h"
#include "runtime/tensor_writer.h"
#include "tools/fail.h"
#include "tools/hsa_bench_capture.h"

namespace hsa::bench {
namespace {

constexpr int64_t kSinks = 4;  // of the capture, left out of its repeats: a sequence has them once
constexpr float kAngle = 0.1f, kNoise = 0.05f;

// Near enough to N(0, 1), and ten times as fast: the sum of four uniform numbers.
class Noise {
 public:
  explicit Noise(uint64_t seed) : bits_(seed) {}
  float operator()() {
    const uint64_t bits = bits_();
    const auto sum = static_cast<float>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
    return (sum * 0x1p-16f - 2) * std::sqrt(3.0f);
  }

 private:
  std::mt19937_64 bits_;
};

void StoreRow(std::byte* row, const std::vector<float>& numbers, DType dtype) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto bits = std::bit_cast<uint32_t>(numbers[i]);
    const auto bf16 = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    if (dtype == DType::kF32)
      std::memcpy(row + 4 * i, &bits, 4);
    else
      std::memcpy(row + 2 * i, &bf16, 2);
  }
}

std::vector<float> LoadRow(const TensorView& tensor, int64_t head, int64_t token) {
  std::vector<float> row(tensor.dim());
  const std::byte* at = tensor.Row(head, token);
  for (float& x : row) x = LoadElement(at, tensor.dtype), at += DTypeBytes(tensor.dtype);
  return row;
}

// Standard deviation of each dimension of a head.
std::vector<float> Deviations(const TensorView& tensor, int64_t head) {
  std::vector<double> sum(tensor.dim()), squares(tensor.dim());
  for (int64_t token = 0; token < tensor.tokens(); ++token) {
    const std::vector<float> row = LoadRow(tensor, head, token);
    for (int64_t d = 0; d < tensor.dim(); ++d) sum[d] += row[d], squares[d] += static_cast<double>(row[d]) * row[d];
  }
  std::vector<float> deviations;
  const auto n = static_cast<double>(tensor.tokens());
  for (int64_t d = 0; d < tensor.dim(); ++d)
    deviations.push_back(static_cast<float>(std::sqrt(std::max(0.0, squares[d] / n - sum[d] / n * (sum[d] / n)))));
  return deviations;
}

void Turn(std::vector<float>& row, const std::vector<float>& angles) {
  for (size_t i = 0; i < angles.size(); ++i) {
    const float a = row[i], b = row[i + angles.size()], c = std::cos(angles[i]), s = std::sin(angles[i]);
    row[i] = a * c - b * s, row[i + angles.size()] = a * s + b * c;
  }
}

// `turned`: 0 for values, else the planes of a row.
void WriteHead(const TensorView& from, int64_t head, int64_t turned, MutableTensorView to) {
  const std::vector<float> deviations = Deviations(from, head);
  const int64_t body = from.tokens() - kSinks;
  Noise noise(static_cast<uint64_t>(head) + 1);
  std::vector<float> angles(turned);
  for (int64_t token = 0; token < to.shape[1]; ++token) {
    const int64_t repeat = token < from.tokens() ? 0 : (token - kSinks) / body;
    const int64_t at = repeat == 0 ? token : kSinks + (token - kSinks) % body;
    std::vector<float> row = LoadRow(from, head, at);
    if (repeat > 0) {
      if (at == kSinks) {
        Noise turns(1000 + static_cast<uint64_t>(repeat));  // the same of queries and keys, and of all heads
        for (float& angle : angles) angle = kAngle * turns();
      }
      Turn(row, angles);
      for (int64_t d = 0; d < from.dim(); ++d) row[d] += kNoise * deviations[d] * noise();
    }
    StoreRow(to.Row(head, token), row, from.dtype);
  }
}

absl::StatusOr<LongInput> MakeLongInput(const Inputs& capture, int64_t tokens) {
  const std::pair<const char*, const TensorView*> tensors[] = {{"q", &capture.query}, {"k", &capture.key}, {"v", &capture.value}};
  std::vector<TensorSpec> specs;
  for (const auto& [name, tensor] : tensors) specs.push_back({name, tensor->dtype, {tensor->heads(), tokens, tensor->dim()}});
  const std::string path = (std::filesystem::temp_directory_path() / absl::StrCat("hsa-bench-", getpid(), ".safetensors")).string();
  absl::StatusOr<TensorWriter> writer = TensorWriter::Create(path, specs);
  if (!writer.ok()) return writer.status();
  for (const auto& [name, tensor] : tensors)
    for (int64_t head = 0; head < tensor->heads(); ++head)
      WriteHead(*tensor, head, name[0] == 'v' ? 0 : tensor->dim() / 2, writer->View(name));
  if (absl::Status committed = writer->Commit(); !committed.ok()) return committed;
  absl::StatusOr<TensorFile> file = TensorFile::Open(path);
  unlink(path.c_str());
  if (!file.ok()) return file.status();
  const absl::StatusOr<TensorView> query = file->Get("q"), key = file->Get("k"), value = file->Get("v");
  const Inputs all{*query, *key, *value};
  return LongInput{*std::move(file), all};
}

}  // namespace

const Inputs& LongInputs(const Capture& capture, int64_t tokens) {
  static std::unique_ptr<LongInput> kept;
  if (kept != nullptr && kept->all.key.tokens() == tokens) return kept->all;
  kept.reset();
  absl::StatusOr<LongInput> made = MakeLongInput(capture.all, tokens);
  if (!made.ok()) std::exit(Fail(1, "hsa-bench", made.status()));
  kept = std::make_unique<LongInput>(*std::move(made));
  return kept->all;
}

}  // namespace hsa::bench
