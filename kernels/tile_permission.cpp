#include "kernels/tile_permission.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/machine.h"

namespace hsa {

bool MayUseTiles() {
#if defined(__x86_64__)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // asm/prctl.h; bit of XCR0, Intel SDM vol. 1, 13.1
  static const bool allowed = ThisMachine().Has("amx-tile") && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return allowed;
#else
  return false;
#endif
}

}  // namespace hsa
