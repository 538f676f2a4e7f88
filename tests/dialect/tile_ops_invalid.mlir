// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of layer 2.
// load_query reads rows, and rows only.
func.func @tile_c1(%rows: tensor<?x32xf32>, %max: tensor<64xf32>) {
  // expected-error @below {{tile_c1: has 2 ins, takes 1}}
  hsa.tile_load_query ins(%rows, %rows : tensor<?x32xf32>, tensor<?x32xf32>) outs(%max : tensor<64xf32>) -> tensor<64xf32>
  return
}

// -----

// A state is query, max, sum and acc.
func.func @tile_c2(%rows: tensor<?x32xf32>, %max: tensor<64xf32>) {
  // expected-error @below {{tile_c2: has 1 outs, takes 4}}
  hsa.tile_load_query ins(%rows : tensor<?x32xf32>) outs(%max : tensor<64xf32>) -> tensor<64xf32>
  return
}

// -----

// Bufferized is all of it or nothing.
func.func @tile_c3(%rows: tensor<?x32xf32>, %q: memref<64x32xf32>, %max: memref<64xf32>, %sum: memref<64x16xf32>) {
  // expected-error @below {{tile_c3: mixes tensors and memrefs}}
  hsa.tile_load_query ins(%rows : tensor<?x32xf32>) outs(%q, %max, %sum, %q : memref<64x32xf32>, memref<64xf32>, memref<64x16xf32>, memref<64x32xf32>)
  return
}

// -----

// Tensors come back, one for each out.
func.func @tile_c4(%rows: tensor<?x32xf32>, %q: tensor<64x32xf32>, %max: tensor<64xf32>, %sum: tensor<64x16xf32>) {
  // expected-error @below {{tile_c4: has 1 results, wants 4}}
  hsa.tile_load_query ins(%rows : tensor<?x32xf32>) outs(%q, %max, %sum, %q : tensor<64x32xf32>, tensor<64xf32>, tensor<64x16xf32>, tensor<64x32xf32>)
      -> tensor<64x32xf32>
  return
}

// -----

// Each of the type of its out.
func.func @tile_c5(%rows: tensor<?x32xf32>, %q: tensor<64x32xf32>, %max: tensor<64xf32>, %sum: tensor<64x16xf32>) {
  // expected-error @below {{tile_c5: result 1 is 'tensor<32xf32>', its out is 'tensor<64xf32>'}}
  hsa.tile_load_query ins(%rows : tensor<?x32xf32>) outs(%q, %max, %sum, %q : tensor<64x32xf32>, tensor<64xf32>, tensor<64x16xf32>, tensor<64x32xf32>)
      -> tensor<64x32xf32>, tensor<32xf32>, tensor<64x16xf32>, tensor<64x32xf32>
  return
}

// -----

// Each KV head serves the same number of query heads.
// expected-error @below {{schedule_c1: query_heads is 3, not a multiple of kv_heads 2}}
hsa.schedule @schedule_c1 attributes {query_name = "q", key_name = "k", value_name = "v", output_name = "o", query_heads = 3 : i64, kv_heads = 2 : i64,
    head_dim = 32 : i64, value_dim = 32 : i64, scale = 1.0 : f64, mask = #hsa.mask<>, config = #hsa.config<>} {
}

// -----

// The runtime iterates over four spaces.
hsa.schedule @stage_c1 attributes {query_name = "q", key_name = "k", value_name = "v", output_name = "o", query_heads = 2 : i64, kv_heads = 2 : i64,
    head_dim = 32 : i64, value_dim = 32 : i64, scale = 1.0 : f64, mask = #hsa.mask<>, config = #hsa.config<>} {
  // expected-error @below {{stage_c1: space is 'window', wants segment, level, tile or rows}}
  hsa.stage "window" "pack" ["@k_rows"]
}

// -----

// Levels of splats come with their weights and tensors.
// expected-error @below {{schedule_c2: splat_levels, level_weights, splat_names (three) and variance_dim come together, some are missing}}
hsa.schedule @schedule_c2 attributes {query_name = "q", key_name = "k", value_name = "v", output_name = "o", query_heads = 2 : i64, kv_heads = 2 : i64,
    head_dim = 32 : i64, value_dim = 32 : i64, scale = 1.0 : f64, mask = #hsa.mask<>, config = #hsa.config<>, splat_levels = array<i64: 4>} {
}

// -----

// A gate has a weight and a bias.
// expected-error @below {{schedule_c3: gate_names are 1, wanted weight and bias}}
hsa.schedule @schedule_c3 attributes {query_name = "q", key_name = "k", value_name = "v", output_name = "o", query_heads = 2 : i64, kv_heads = 2 : i64,
    head_dim = 32 : i64, value_dim = 32 : i64, scale = 1.0 : f64, mask = #hsa.mask<>, config = #hsa.config<>, splat_levels = array<i64: 4, 1>,
    level_weights = array<f64: 1.0, 1.0>, splat_names = ["c", "s", ""], variance_dim = 1 : i64, gate_names = ["w"]} {
}

// -----

// Without a variance there is a factor.
// expected-error @below {{schedule_c60: factor_name and factor_rows come together, one of them at least where variance_dim is 0}}
hsa.schedule @schedule_c60 attributes {query_name = "q", key_name = "k", value_name = "v", output_name = "o", query_heads = 2 : i64, kv_heads = 2 : i64,
    head_dim = 32 : i64, value_dim = 32 : i64, scale = 1.0 : f64, mask = #hsa.mask<>, config = #hsa.config<>, splat_levels = array<i64: 4, 1>,
    level_weights = array<f64: 1.0, 1.0>, splat_names = ["c", "", ""], variance_dim = 0 : i64} {
}

// -----

// A bottleneck has two factors.
// expected-error @below {{schedule_c4: 1 link_ranks want as many link_from and link_to and 2 link_names}}
hsa.schedule @schedule_c4 attributes {query_name = "q", key_name = "k", value_name = "v", output_name = "o", query_heads = 2 : i64, kv_heads = 2 : i64,
    head_dim = 32 : i64, value_dim = 32 : i64, scale = 1.0 : f64, mask = #hsa.mask<>, config = #hsa.config<>, splat_levels = array<i64: 4, 1>,
    level_weights = array<f64: 1.0, 1.0>, splat_names = ["c", "s", ""], variance_dim = 1 : i64, link_names = ["up"], link_from = array<i64: 0>,
    link_to = array<i64: 1>, link_ranks = array<i64: 3>} {
}

// -----

// Isotropic splats bring four more.
func.func @tile_c1_either(%keys: tensor<?x32x16xf32>, %max: tensor<64xf32>) {
  // expected-error @below {{tile_c1: has 1 ins, takes 5 or 6 or 9}}
  %m = hsa.tile_send ins(%keys : tensor<?x32x16xf32>) outs(%max : tensor<64xf32>) -> tensor<64xf32>
  return
}
