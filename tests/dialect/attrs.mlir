// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// Defaults are not printed.
// CHECK: func private @attrs() attributes {all = #hsa.config<order = 0, theta = 5.000000e-02 : f64, bands = 4, queryOrder = position>,
// CHECK-SAME: field = #hsa<field near>, mask = #hsa.mask<causal = true, slidingWindow = 128, sinkTokens = 4>, none = #hsa.mask<>, usual = #hsa.config<>}
func.func private @attrs() attributes {usual = #hsa.config<order = 2, queryOrder = content>, all = #hsa.config<order = 0, theta = 0.05 : f64, bands = 4, queryOrder = position>,
    none = #hsa.mask<causal = false>, mask = #hsa.mask<causal = true, slidingWindow = 128, sinkTokens = 4>, field = #hsa<field near>}

// CHECK: func private @adapt() attributes {all = #hsa.adapt<what = observe, segmentTokens = 1024, leastSplats = 2, memory = 5.000000e-01 : f64>, levels = #hsa.adapt<asleep = 1, levelTokens = 64, levelGain = 1.000000e-02 : f64, weightBound = 4.000000e+00 : f64>, usual = #hsa.adapt<>}
func.func private @adapt() attributes {usual = #hsa.adapt<what = splats, segmentTokens = 4096>, all = #hsa.adapt<what = observe, segmentTokens = 1024, leastSplats = 2, memory = 0.5 : f64>,
    levels = #hsa.adapt<asleep = 1, levelTokens = 64, levelGain = 0.01 : f64, weightBound = 4.0 : f64>}
