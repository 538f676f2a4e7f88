// MLIR's own driver with the hsa dialect: every upstream pass and dialect, and ours.
#include "dialect/hsa_dialect.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/passes.h"
#include "passes/pipelines.h"

int main(int argc, char** argv) {
  mlir::registerAllPasses();
  hsa::ir::registerHsaPasses();
  hsa::ir::registerPipelines();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<hsa::ir::HsaDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "hsa-opt: passes over the hsa dialect\n", registry));
}
