// RUN: hsa-opt %s --split-input-file --verify-diagnostics
// Every constraint of the attributes.
// A window cannot be negative.
// expected-error @below {{mask_c1: slidingWindow is -1, wanted 0 (none) or more}}
func.func private @mask_c1() attributes {a = #hsa.mask<causal = true, slidingWindow = -1>}

// -----

// Nor can a prefix.
// expected-error @below {{mask_c2: sinkTokens is -1, wanted 0 or more}}
func.func private @mask_c2() attributes {a = #hsa.mask<causal = true, slidingWindow = 4, sinkTokens = -1>}

// -----

// A window that looks both ways has no meaning here.
// expected-error @below {{mask_c3: slidingWindow is 4 but causal is false}}
func.func private @mask_c3() attributes {a = #hsa.mask<slidingWindow = 4>}

// -----

// Without a window nothing hides the prefix.
// expected-error @below {{mask_c4: sinkTokens is 4 but slidingWindow is 0}}
func.func private @mask_c4() attributes {a = #hsa.mask<causal = true, sinkTokens = 4>}

// -----

// There is no first order: Σ_j (k_j − μ) = 0.
// expected-error @below {{config_c1: order is 1, wanted 0 or 2}}
func.func private @config_c1() attributes {a = #hsa.config<order = 1>}

// -----

// A residual is never negative.
// expected-error @below {{config_c2: theta is -1}}
func.func private @config_c2() attributes {a = #hsa.config<theta = -1.0 : f64>}

// -----

// The prefix may be empty, not negative.
// expected-error @below {{config_c3: nearSinkTokens is -4, wanted 0 or more}}
func.func private @config_c3() attributes {a = #hsa.config<nearSinkTokens = -4>}

// -----

// 1024 is no multiple of 48.
// expected-error @below {{config_c4: tileQueries is 48 and windowTokens is 1024}}
func.func private @config_c4() attributes {a = #hsa.config<tileQueries = 48>}

// -----

// Slots are halved down to a leaf.
// expected-error @below {{config_c5: leafTokens is 12, wanted a power of two}}
func.func private @config_c5() attributes {a = #hsa.config<leafTokens = 12>}

// -----

// 16 · 4 · 4 · 2 is between two levels.
// expected-error @below {{config_c6: miniSegmentTokens is 512 and leafTokens is 16}}
func.func private @config_c6() attributes {a = #hsa.config<miniSegmentTokens = 512>}

// -----

// A mini-segment is more than one leaf.
// expected-error @below {{config_c6: miniSegmentTokens is 16 and leafTokens is 16; the first must be the second times a power of 4, at least 4}}
func.func private @config_c6_leaf() attributes {a = #hsa.config<miniSegmentTokens = 16, windowTokens = 64>}

// -----

// A segment is more than one mini-segment.
// expected-error @below {{config_c7: segmentTokens is 1024 and miniSegmentTokens is 1024}}
func.func private @config_c7() attributes {a = #hsa.config<segmentTokens = 1024>}

// -----

// Nodes come in groups of four: two mini-segments are half a group.
// expected-error @below {{config_c7: segmentTokens is 2048 and miniSegmentTokens is 1024; the first must be the second times 4, 8 or 16}}
func.func private @config_c7_half_a_group() attributes {a = #hsa.config<segmentTokens = 2048>}

// -----

// Three groups are no tree that bisection makes.
// expected-error @below {{config_c7: segmentTokens is 12288 and miniSegmentTokens is 1024; the first must be the second times 4, 8 or 16}}
func.func private @config_c7_three_groups() attributes {a = #hsa.config<segmentTokens = 12288>}

// -----

// Moments of a node are merged from 16 children at most.
// expected-error @below {{config_c7: segmentTokens is 32768 and miniSegmentTokens is 1024; the first must be the second times 4, 8 or 16}}
func.func private @config_c7_32_children() attributes {a = #hsa.config<segmentTokens = 32768>}

// -----

// A window starts where a mini-segment does.
// expected-error @below {{config_c8: windowTokens is 512 and miniSegmentTokens is 1024}}
func.func private @config_c8() attributes {a = #hsa.config<windowTokens = 512>}

// -----

// Somewhere the variance must go.
// expected-error @below {{config_c9: bands is 0, wanted 1 or more}}
func.func private @config_c9() attributes {a = #hsa.config<bands = 0>}

// -----

// expected-error @below {{config_c10: tolerance is 1.000000e+00, wanted more than 0, less than 1}}
func.func private @config_c10() attributes {a = #hsa.config<tolerance = 1.0 : f64, confidence = 0.95 : f64>}

// -----

// expected-error @below {{config_c11: confidence is 0.000000e+00, wanted more than 0, less than 1}}
func.func private @config_c11() attributes {a = #hsa.config<tolerance = 0.1 : f64, confidence = 0.0 : f64>}

// -----

// expected-error @below {{config_c11: of tolerance and confidence one is given, wanted both or neither}}
func.func private @config_c11_alone() attributes {a = #hsa.config<tolerance = 0.1 : f64>}

// -----

// expected-error @below {{adapt_c1: segmentTokens is 1000, wanted a multiple of 256, at most 1048576}}
func.func private @adapt_c1() attributes {a = #hsa.adapt<segmentTokens = 1000>}

// -----

// expected-error @below {{adapt_c2: history is 0, wanted 1 to 1024 segments}}
func.func private @adapt_c2() attributes {a = #hsa.adapt<history = 0>}

// -----

// expected-error @below {{adapt_c3: mostEvents is -1, wanted 0 to 4096}}
func.func private @adapt_c3() attributes {a = #hsa.adapt<mostEvents = -1>}

// -----

// expected-error @below {{adapt_c4: leastSplats is 0, wanted 1 or more}}
func.func private @adapt_c4() attributes {a = #hsa.adapt<leastSplats = 0>}

// -----

// expected-error @below {{adapt_c5: idle is 1.000000e+00, wanted 0 or more, less than 1}}
func.func private @adapt_c5() attributes {a = #hsa.adapt<idle = 1.0 : f64>}

// -----

// expected-error @below {{adapt_c6: cover is 0.000000e+00, wanted more than 0, less than 10000}}
func.func private @adapt_c6() attributes {a = #hsa.adapt<cover = 0.0 : f64>}

// -----

// expected-error @below {{adapt_c7: gain is 5.000000e-01, wanted 1 or more}}
func.func private @adapt_c7() attributes {a = #hsa.adapt<gain = 0.5 : f64>}

// -----

// expected-error @below {{adapt_c5: levelGain is 1.000000e+00, wanted 0 or more, less than 1}}
func.func private @adapt_c5_level() attributes {a = #hsa.adapt<levelGain = 1.0 : f64>}

// -----

// expected-error @below {{adapt_c8: asleep is 16, wanted 0 to 15 levels}}
func.func private @adapt_c8() attributes {a = #hsa.adapt<asleep = 16>}

// -----

// expected-error @below {{adapt_c9: levelTokens is -1, wanted 0 to 1099511627776}}
func.func private @adapt_c9() attributes {a = #hsa.adapt<levelTokens = -1>}

// -----

// expected-error @below {{adapt_c10: levelResidual is 0.000000e+00, wanted more than 0, less than 1000000}}
func.func private @adapt_c10() attributes {a = #hsa.adapt<levelResidual = 0.0 : f64>}

// -----

// expected-error @below {{adapt_c11: weightBound is 5.000000e-01, wanted 1 to 1024}}
func.func private @adapt_c11() attributes {a = #hsa.adapt<weightBound = 0.5 : f64>}

// -----

// expected-error @below {{adapt_c12: observes, which changes nothing, and has asleep, levelGain or weightBound; leave them out}}
func.func private @adapt_c12() attributes {a = #hsa.adapt<what = observe, asleep = 1>}
