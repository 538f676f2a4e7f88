// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of hsa.stream.
// key and value disagree on kv_heads.
func.func @stream_c1(%k: tensor<2x?x8xf32>, %v: tensor<4x?x6xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{stream_c1: key has 2 kv_heads but value has 4}}
  %p = hsa.stream %k, %v, %n segment 8192 {
  ^bb0(%f: index, %t: index, %ks: tensor<2x?x8xf32>, %vs: tensor<4x?x6xf32>, %c: !hsa.partial<4x?x6>):
    hsa.yield %c : !hsa.partial<4x?x6>
  } : (tensor<2x?x8xf32>, tensor<4x?x6xf32>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  return
}

// -----

// key and value disagree on their length.
func.func @stream_c2(%k: tensor<2x100x8xf32>, %v: tensor<2x99x6xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{stream_c2: key has 100 tokens but value has 99}}
  %p = hsa.stream %k, %v, %n segment 8192 {
  ^bb0(%f: index, %t: index, %ks: tensor<2x?x8xf32>, %vs: tensor<2x?x6xf32>, %c: !hsa.partial<4x?x6>):
    hsa.yield %c : !hsa.partial<4x?x6>
  } : (tensor<2x100x8xf32>, tensor<2x99x6xf32>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  return
}

// -----

// a segment without keys never ends.
func.func @stream_c3(%k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{stream_c3: segment is 0, wanted 1 or more}}
  %p = hsa.stream %k, %v, %n segment 0 {
  ^bb0(%f: index, %t: index, %ks: tensor<2x?x8xf32>, %vs: tensor<2x?x6xf32>, %c: !hsa.partial<4x?x6>):
    hsa.yield %c : !hsa.partial<4x?x6>
  } : (tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  return
}

// -----

// the body is told neither where the segment starts nor how long the sequence is.
func.func @stream_c4(%k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{stream_c4: body takes}}
  %p = hsa.stream %k, %v, %n segment 8192 {
  ^bb0(%ks: tensor<2x?x8xf32>, %vs: tensor<2x?x6xf32>, %c: !hsa.partial<4x?x6>):
    hsa.yield %c : !hsa.partial<4x?x6>
  } : (tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  return
}

// -----

// the carry of the next segment has other rows.
func.func @stream_c5(%k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %n: !hsa.partial<4x?x6>, %other: !hsa.partial<2x?x6>) {
  // expected-error @below {{stream_c5: body yields}}
  %p = hsa.stream %k, %v, %n segment 8192 {
  ^bb0(%f: index, %t: index, %ks: tensor<2x?x8xf32>, %vs: tensor<2x?x6xf32>, %c: !hsa.partial<4x?x6>):
    hsa.yield %other : !hsa.partial<2x?x6>
  } : (tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.partial<4x?x6>) -> !hsa.partial<4x?x6>
  return
}

// -----

// the result has other rows than the carry.
func.func @stream_c6(%k: tensor<2x?x8xf32>, %v: tensor<2x?x6xf32>, %n: !hsa.partial<4x?x6>) {
  // expected-error @below {{stream_c6: partial is '!hsa.partial<2x?x6>' but the operands want '!hsa.partial<4x?x6>'}}
  %p = hsa.stream %k, %v, %n segment 8192 {
  ^bb0(%f: index, %t: index, %ks: tensor<2x?x8xf32>, %vs: tensor<2x?x6xf32>, %c: !hsa.partial<4x?x6>):
    hsa.yield %c : !hsa.partial<4x?x6>
  } : (tensor<2x?x8xf32>, tensor<2x?x6xf32>, !hsa.partial<4x?x6>) -> !hsa.partial<2x?x6>
  return
}
