# LLVM/MLIR 22 as Debian packages it: the two shared libraries, never the static archives beside them.
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})  # mlir_tablegen reads this directory property

# A target that sees MLIR.
function(hsa_mlir_target name)
  hsa_target(${name})
  separate_arguments(definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
  target_compile_definitions(${name} PRIVATE ${definitions})
  target_link_libraries(${name} PUBLIC MLIR LLVM)
endfunction()
