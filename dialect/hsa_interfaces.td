#ifndef HSA_INTERFACES_TD
#define HSA_INTERFACES_TD

include "mlir/IR/OpBase.td"

def Hsa_ReferenceOp : OpInterface<"ReferenceOp"> {
  let cppNamespace = "::hsa::ir";
  let description = [{
    What an op of layer 0 or 1 computes, in float64. An op without a meaning does not link.
  }];
  let methods = [InterfaceMethod<
    "Reads the operands of this op from `frame`, writes its results there. The error names the op and what is wrong.",
    "::llvm::Error", "evaluate", (ins "::hsa::ir::reference::Frame&":$frame)>];
}

def Hsa_ImpliedTypesOp : OpInterface<"ImpliedTypesOp"> {
  let cppNamespace = "::hsa::ir";
  let description = [{
    Result types as exact as the operands allow. Verifiers compare with them, hsa-infer-shapes writes them.
  }];
  let methods = [InterfaceMethod<"One type per result.", "::llvm::SmallVector<::mlir::Type>", "getImpliedTypes">];
}

#endif
