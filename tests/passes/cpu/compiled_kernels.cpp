#include "tests/passes/cpu/compiled_kernels.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <ostream>

#include "gtest/gtest.h"
#include "kernels/machine.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "passes/export/image.h"
#include "passes/export/object.h"
#include "passes/pipelines.h"

namespace hsa::ir {

GuardedMemory::GuardedMemory(size_t bytes) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), used = (bytes + page - 1) / page * page;
  mapped_ = used + page;
  pages_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(static_cast<char*>(pages_) + used, page, PROT_NONE);
  data_ = static_cast<char*>(pages_) + used - bytes;
  std::memset(data_, 0xff, bytes);
}
GuardedMemory::~GuardedMemory() { munmap(pages_, mapped_); }

static std::vector<int64_t> Strides(const std::vector<int64_t>& shape, int64_t row_stride) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * shape[i];
  if (row_stride > 0) strides[0] = row_stride;
  return strides;
}

// No gap behind the last row.
static int64_t Elements(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return 0;
    last += (shape[i] - 1) * strides[i];
  }
  return last + 1;
}

ArrayBase::ArrayBase(std::vector<int64_t> shape, int64_t row_stride, size_t element_bytes)
    : shape_(std::move(shape)),
      strides_(Strides(shape_, row_stride)),
      elements_(Elements(shape_, strides_)),
      memory_(std::make_shared<GuardedMemory>(static_cast<size_t>(elements_) * element_bytes)) {}

int64_t ArrayBase::At(std::initializer_list<int64_t> at) const {
  int64_t offset = 0;
  size_t i = 0;
  for (int64_t index : at) offset += index * strides_[i++];
  return offset;
}

std::vector<int64_t> ArrayBase::Descriptor() const {
  const auto data = reinterpret_cast<int64_t>(memory_->data());
  std::vector<int64_t> words = {data, data, 0};
  words.insert(words.end(), shape_.begin(), shape_.end());
  words.insert(words.end(), strides_.begin(), strides_.end());
  return words;
}

void PrintTo(const KernelCase& test, std::ostream* out) { *out << test.isa << " D " << test.head_dim << " Dv " << test.value_dim; }

std::vector<KernelCase> AllKernelCases() {
  std::vector<KernelCase> cases;
  for (const char* isa : {"sse2", "avx2", "avx512"}) {
    if (std::string(isa) != "sse2" && !ThisMachine().Has("avx2")) continue;
    cases.push_back({isa, 32, 64});
    cases.push_back({isa, 64, 64});
    cases.push_back({isa, 80, 48});  // the last vector of 16 stands alone under blocks of two
    cases.push_back({isa, 36, 20});  // padding everywhere; eight bands of 5 leave the last one with a single dimension
  }
  cases.push_back({"sse2", 17, 16});  // the last two bands are empty
  return cases;
}

static std::string GraphOf(const KernelCase& test) {
  const std::string d = std::to_string(test.head_dim), dv = std::to_string(test.value_dim);
  const std::string q = "tensor<1x?x" + d + "xf32>", v = "tensor<1x?x" + dv + "xf32>";
  return "func.func @attention(%q: " + q + ", %k: " + q + ", %v: " + v + ") -> " + v + " {\n" +
         "  %o = hsa.attention %q, %k, %v {mask = #hsa.mask<causal = true>} : (" + q + ", " + q + ", " + v + ") -> " + v + "\n" +
         "  return %o : " + v + "\n}\n";
}

const CompiledKernels& CompiledKernels::Of(const KernelCase& test) { return Of(test.isa, GraphOf(test)); }

const CompiledKernels& CompiledKernels::Of(const std::string& isa, const std::string& graph) {
  static std::map<std::string, std::unique_ptr<CompiledKernels>> compiled;
  auto& kernels = compiled[isa + " " + graph];
  if (!kernels) kernels.reset(new CompiledKernels(isa, graph));
  return *kernels;
}

CompiledKernels::CompiledKernels(const std::string& isa, const std::string& graph) {
  const std::string cpu = isa == "avx512" ? "x86-64-v4" : isa == "avx2" ? "x86-64-v3" : "x86-64";
  mlir::DialectRegistry registry;
  registerPipelineDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(graph, &context);
  mlir::PassManager passes(&context);
  buildHsaCpuPipeline(passes, {.cpus = {cpu}});
  if (!module || failed(passes.run(*module))) llvm::report_fatal_error("the pipeline failed");

  Target target = llvm::cantFail(resolveTarget(cpu));
  if (isa == "avx512" && !ThisMachine().Has("avx512f")) target.baseCpu = target.tuneCpu = "x86-64-v3";
  llvm::LLVMContext llvm_context;
  for (auto variant : module->getOps<mlir::ModuleOp>()) {
    auto code = llvm::cantFail(translateVariant(variant, target, llvm_context));
    const Image image = llvm::cantFail(linkImage({llvm::cantFail(emitCode(*code, target, CodeKind::kObject))}));
    code_ = mmap(nullptr, image.bytes.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memcpy(code_, image.bytes.data(), image.bytes.size());
    mprotect(code_, image.bytes.size(), PROT_READ | PROT_EXEC);
    for (const ImageEntry& entry : image.entries) entries_[entry.name] = entry.offset;
  }
}

void CompiledKernels::Call(const std::string& entry, std::initializer_list<const ArrayBase*> arguments) const {
  const auto found = entries_.find(entry);
  ASSERT_NE(found, entries_.end()) << "no entry '" << entry << "'";
  std::vector<std::vector<int64_t>> descriptors;
  for (const ArrayBase* argument : arguments) descriptors.push_back(argument->Descriptor());
  std::vector<void*> pointers;
  for (auto& descriptor : descriptors) pointers.push_back(descriptor.data());
  reinterpret_cast<void (*)(void* const*)>(static_cast<char*>(code_) + found->second)(pointers.data());
}

}  // namespace hsa::ir
