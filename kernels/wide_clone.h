// Plain loops that are compiled for wider vectors as well; the processor's own are chosen when the program starts.
#pragma once

#if defined(__x86_64__) && defined(__clang__)
#if !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer)  // which the choice at the start comes too early for
#define HSA_WIDE_CLONE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#endif
#ifndef HSA_WIDE_CLONE
#define HSA_WIDE_CLONE
#endif
