#ifndef HSA_DIALECT_TD
#define HSA_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Hsa_Dialect : Dialect {
  let name = "hsa";
  let summary = "Hierarchical Splat Attention";
  let description = [{
    Attention over very long sequences by splats: Gaussian summaries of groups of keys on a hierarchy of levels.
    Layer 0 says what is computed (`hsa.attention`), layer 1 in which stages, layer 2 on which tiles. docs/spec.md has the mathematics.
  }];
  let cppNamespace = "::hsa::ir";
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerTypes();
  }];
}

class Hsa_Op<string mnemonic, list<Trait> traits = []> : Op<Hsa_Dialect, mnemonic, traits>;
class Hsa_Type<string name, string typeMnemonic> : TypeDef<Hsa_Dialect, name> { let mnemonic = typeMnemonic; }
class Hsa_Attr<string name, string attrMnemonic> : AttrDef<Hsa_Dialect, name> { let mnemonic = attrMnemonic; }

#endif
