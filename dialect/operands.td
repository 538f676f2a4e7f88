// Operands and results that several groups of ops share.
#ifndef HSA_OPERANDS_TD
#define HSA_OPERANDS_TD

include "dialect/hsa_attrs.td"
include "dialect/hsa_interfaces.td"
include "dialect/hsa_types.td"

def Hsa_InputTensor : TensorRankOf<[F32, BF16, F16], [3]>;
// i8: what hsa.quantize made of rows; they stand for numbers that it defines.
def Hsa_NarrowTensor : TensorRankOf<[F32, BF16, F16, I8], [3]>;
def Hsa_F32Tensor2 : TensorRankOf<[F32], [2]>;
def Hsa_F32Tensor3 : TensorRankOf<[F32], [3]>;
def Hsa_FlagTensor3 : TensorRankOf<[I1], [3]>;

// An op with a meaning in float64 and result types that follow from its operands.
class Hsa_StageOp<string mnemonic, list<Trait> traits = []>
    : Hsa_Op<mnemonic, !listconcat(traits, [DeclareOpInterfaceMethods<Hsa_ReferenceOp>, DeclareOpInterfaceMethods<Hsa_ImpliedTypesOp>])>;

#endif
