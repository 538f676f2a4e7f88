# Others' headers are half of what a file costs to compile: each kind of target reads them once, precompiled. A source still includes what it uses.
set(HSA_HEADERS
  <algorithm> <array> <cmath> <cstdint> <functional> <memory> <optional> <span> <string> <string_view> <utility> <vector>
  <absl/status/status.h> <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/strings/str_format.h> <absl/strings/str_join.h>
  <google/protobuf/generated_message_reflection.h> <google/protobuf/generated_message_util.h> <google/protobuf/message.h>
  <google/protobuf/repeated_field.h>)
set(HSA_RUN_HEADERS ${HSA_HEADERS} <oneapi/tbb/enumerable_thread_specific.h> <oneapi/tbb/parallel_for.h> <oneapi/tbb/task_arena.h>)
set(HSA_MLIR_HEADERS
  <mlir/Dialect/Arith/IR/Arith.h> <mlir/Dialect/Func/IR/FuncOps.h> <mlir/Dialect/MemRef/IR/MemRef.h> <mlir/Dialect/SCF/IR/SCF.h>
  <mlir/Dialect/Vector/IR/VectorOps.h> <mlir/IR/ImplicitLocOpBuilder.h> <mlir/Pass/Pass.h>)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")  # the same headers are the same file: ccache finds what it kept
endif()

# name: a target without code of its own whose precompiled headers others take over (REUSE_FROM).
function(hsa_shared_headers name)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp CONTENT "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()
