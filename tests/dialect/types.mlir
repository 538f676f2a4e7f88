// RUN: hsa-opt %s | hsa-opt | FileCheck %s
// Extents that are known and extents that are not survive printing.
// CHECK: func private @types(!hsa.index<2x?x64x32>, !hsa.partial<?x0x32>)
func.func private @types(!hsa.index<2x?x64x32>, !hsa.partial<?x0x32>)
