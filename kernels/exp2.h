// 2^x in f32: x = n + f with n = round(x), |f| ≤ ½; 2^f by a polynomial on the FMA units, 2^n in the exponent bits.
#pragma once

#include <array>

namespace hsa {

// Minimax on [-½, ½], lowest power first: relative error ≤ 7.5e-8 before rounding.
inline constexpr std::array<double, 6> kExp2Poly = {1.00000012, 0.693146944, 0.240221202, 0.0555071309, 0.00967554096, 0.00132764725};

// The same for f = x - ⌊x⌋ in [0, 1).
inline constexpr std::array<double, 6> kExp2FloorPoly = {0.999999925, 0.693153073, 0.240153617, 0.0558263179, 0.00898934014, 0.00187757668};
// Relative error ≤ 7.5e-5, a fiftieth of the last bit of a bf16.
inline constexpr std::array<double, 4> kExp2CoarsePoly = {0.999925219, 0.695833537, 0.226067159, 0.0780245233};

// x below this gives exactly 0, not a denormal, which processors multiply slowly: the biased exponent 127 + n becomes 0. A masked score (-inf) so contributes
// nothing.
inline constexpr double kExp2Least = -127.0;

// Adding it rounds to an integer n and leaves n + 127 in the low bits: 1.5·2^23 + 127.
inline constexpr double kExp2Magic = 12582912.0 + 127.0;

}  // namespace hsa
