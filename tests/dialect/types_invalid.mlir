// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of the types.
// expected-error @below {{wants 4 extents, has 3}}
func.func private @extents(!hsa.index<2x8x6>)

// -----

// An index of no kv_heads indexes nothing.
// expected-error @below {{index_type_c1: kv_heads, keys, head_dim, value_dim are 0, 5, 8, 6; wanted at least 1, 0, 1, 1}}
func.func private @index_type_c1(!hsa.index<0x5x8x6>)
