// The few words that every CPU emitter is written in: loops, vectors of the target's width, sums of products.
#pragma once

#include "kernels/affinity.h"
#include "kernels/tile_shape.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace hsa::ir {

using mlir::MemRefType;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;

// Numbers and flags that specialise the kernels of one attention, the same for every variant.
struct KernelParams {
  int64_t headDim = 0, valueDim = 0;              // as the user gave them
  int64_t paddedHeadDim = 0, paddedValueDim = 0;  // rounded up to 16: what panels, tiles and nodes store, zeros behind the rest
  int64_t tileQueries = 64;
  int64_t sinkTokens = 0;  // of the mask: prefix that a sliding window keeps visible
  int64_t order = 2;
  int64_t bands = 8;
  double scale = 1;
  int64_t splats = 0;  // of scheme routed, rounded up to 64; 0 in scheme softmax
  int64_t levels = 0;  // that they stand on
  struct SplatRange {
    int64_t end, columns;
  };
  llvm::SmallVector<SplatRange, 1> ranges =
      {};  // splats from the end of the range before to this one keep as many columns of the values, less the coarser
  llvm::SmallVector<int64_t, 1> levelColumns = {};  // that each level keeps
  bool passesOnState =
      false;  // splats pass on what they were sent at once, along links: until then they keep all columns, for those that keep more than they do
  int64_t nearTop = 0;      // splats of a level that a token keeps, where it does not keep all
  int64_t factorRows = 0;   // of the matrix that differences are multiplied with, of each splat; 0 where covariances are diagonal
  bool triangular = false;  // that matrix is a whole one, lower triangular, else it is of low rank
  bool isotropic = false;   // one variance for all dimensions, and every splat met: affinities are products

  // Pairs of bf16 and what meets them: rows of a tile, keys whose scores are made at once, and keys whose weights then meet the values at once. Few scores
  // leave the most of the cache, many weights save the sums their ways to memory (docs/performance.md, "AMX").
  int64_t pairDim() const { return (headDim + kPairPanelKeys - 1) / kPairPanelKeys * kPairPanelKeys; }
  int64_t pairRows() const { return tileQueries % 32 == 0 ? 32 : 16; }
  int64_t pairKeys() const { return 64; }
  int64_t pairWeights() const { return 256; }
  int64_t pairLeaves() const { return 16; }  // leaves that are gathered before tiles meet them: they stay in the second-level cache

  // Slots of a list of the splats that a token keeps.
  int64_t nearSlots() const { return nearListSlots(nearTop); }

  double logScale() const { return scale * 1.4426950408889634; }  // σ log2 e: a product times it is a score in log2 units
  int64_t tiltPanels() const {
    return (paddedValueDim + kBatchKeys - 1) / kBatchKeys * kBatchPanels;
  }  // columns of a tilt, in whole batches
  int64_t bandWidth() const { return (headDim + bands - 1) / bands; }
};

class KernelEmitter {
 public:
  KernelEmitter(mlir::ImplicitLocOpBuilder& builder, mlir::ModuleOp module, const TileShape& tile, const KernelParams& params,
                Value tileRows = {})
      : b(builder), module(module), tile(tile), params(params), tileRows(tileRows) {}

  mlir::ImplicitLocOpBuilder& b;
  mlir::ModuleOp module;  // of the variant: private functions are added to it
  const TileShape& tile;
  const KernelParams& params;
  Value tileRows;  // [1] i32: queries of the tile that exist; where it is null, all of them do

  int64_t lanes() const { return tile.lanes; }
  mlir::VectorType vectorOf(Type element) const;
  mlir::VectorType f32Vector() const { return vectorOf(b.getF32Type()); }

  // Constants: an index, scalars, and a vector with the same number in each lane.
  Value index(int64_t value);
  Value f32(double value);
  Value i32(int64_t value);
  Value f32s(double value);
  Value i32s(int64_t value);

  // Arithmetic on f32 or on vectors of f32. multiplyAdd is a·x + y, fused where the target can.
  Value multiplyAdd(Value a, Value x, Value y);
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  // max and min as one x86 instruction: where either is NaN the result is y.
  Value max(Value x, Value y);
  Value min(Value x, Value y);
  Value exp2(Value x);
  // factor · 2^x, AVX-512 only: relative error ≤ 7.5e-5, for weights that become bf16; exactly 0 for -inf, NaN for NaN.
  Value exp2Coarse(Value x, double factor);
  Value log2(Value x);  // x ≥ 0; log2(0) = -inf
  Value sqrt(Value x);

  // Indices and i32.
  Value addIndex(Value x, Value y);
  Value mulIndex(Value x, int64_t factor);
  Value minIndex(Value x, Value y);
  Value maxIndex(Value x, Value y);
  Value toIndex(Value i32);
  Value toI32(Value index);
  Value spread(Value scalar);     // to all lanes
  Value reduceMax(Value vector);  // one scalar
  Value reduceAdd(Value vector);
  Value negate(Value condition);  // one, or a vector of them
  Value any(Value condition);     // of a vector of conditions
  Value bitsOf(Value condition);  // of a vector of conditions as an i64, that of lane 0 the lowest
  Value select(Value condition, Value yes, Value no);

  // Memory. Vector loads and stores are of lanes() elements along the last dimension.
  Value load(Value memref, ValueRange at);
  void store(Value vector, Value memref, ValueRange at);
  Value get(Value memref, ValueRange at);
  void set(Value scalar, Value memref, ValueRange at);
  Value dim(Value memref, int64_t dimension);
  Value sumOfLanes(Value sums, Value row);                    // scalar Σ of the partial sums [.., kSumLanes] of a row
  Value slice(Value memref, Value first, int64_t count);      // [first, first + count) of the leading dimension of an entry's argument
  Value reshape(Value block, llvm::ArrayRef<int64_t> shape);  // the same elements of a blockType, in another shape
  Value view(Value memref, Value offset, llvm::ArrayRef<int64_t> shape);  // contiguous elements from `offset` on

  Value bytes(Value memref);                   // the same memory as lines of 64 bytes: [?,64] of i8
  void prefetch(Value memref, ValueRange at);  // asks for the line of an element, in the second-level cache; cannot fault
  Value bits(Value memref);                    // its elements as integers of their width
  Value local(llvm::ArrayRef<int64_t> shape);  // f32 on the stack, for a kilobyte at most: what is indexed by a loop and gone behind it

  // A loaded vector of lanes() bf16, f16 or f32 as f32: integer operations, so that every target does it.
  Value widen(Value memref, ValueRange at);
  Value widenScalar(Value element);

  // Loops: lo ≤ i < hi. `fold` carries values round the loop.
  void forEach(Value lo, Value hi, int64_t step, llvm::function_ref<void(Value)> body);
  void forEach(int64_t hi, int64_t step, llvm::function_ref<void(Value)> body) { forEach(index(0), index(hi), step, body); }
  llvm::SmallVector<Value> fold(Value lo, Value hi, int64_t step, ValueRange init,
                                llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)> body);
  void when(Value condition, llvm::function_ref<void()> body);
  // body() where the condition holds, else `otherwise`: a branch, for what is rare and dear.
  Value rarely(Value condition, Value otherwise, llvm::function_ref<Value()> body);

  // Queries of the tile that exist, and loops over them: a tile of one query costs a block of rows, not a tile.
  Value liveRows();
  void forEachRow(llvm::function_ref<void(Value row)> body) { forEach(index(0), liveRows(), 1, body); }
  // Row-blocks of the register tile that have a live row: body(first row, rows), the ragged last block of a whole tile unrolled on its own.
  void forEachRowBlock(llvm::function_ref<void(Value first, int64_t rows)> body);

  // A memref with identity strides and any offset: what private functions take.
  MemRefType blockType(llvm::ArrayRef<int64_t> shape, Type element);

  // Calls the private function `name`, made by `body` on first use, and returns it. Arguments are cast to the declared types; tileRows goes with them.
  mlir::func::FuncOp call(llvm::StringRef name, llvm::ArrayRef<MemRefType> types, ValueRange arguments,
                          llvm::function_ref<void(KernelEmitter&, ValueRange)> body);
};

}  // namespace hsa::ir
