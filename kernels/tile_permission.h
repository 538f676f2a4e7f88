// Linux saves the AMX tiles of a process only when it has asked for it; before that the first tile instruction ends it with SIGILL.
#pragma once

namespace hsa {

// Asks once in a process, arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA); for all of its threads. False where there are no tiles or the system
// refuses them. Thread-safe.
bool MayUseTiles();

}  // namespace hsa
