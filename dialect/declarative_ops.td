#ifndef HSA_DECLARATIVE_OPS_TD
#define HSA_DECLARATIVE_OPS_TD

include "dialect/hsa_attrs.td"
include "dialect/hsa_types.td"
include "dialect/hsa_interfaces.td"

#endif
