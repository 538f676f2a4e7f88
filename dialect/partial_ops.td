#ifndef HSA_PARTIAL_OPS_TD
#define HSA_PARTIAL_OPS_TD

include "dialect/hsa_attrs.td"
include "dialect/hsa_types.td"
include "dialect/hsa_interfaces.td"

#endif
