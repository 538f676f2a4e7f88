// Sizes as people write them on a command line.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace hsa {

// "256MiB" → 268,435,456; "1.5GiB"; "4096" and "4096B" are bytes. KiB, MiB, GiB and TiB, with or without a space before them; the letters'
// case does not matter. Nothing for anything else: other units, signs, numbers that are not finite, 2^62 bytes or more.
inline std::optional<int64_t> ParseByteSize(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || std::signbit(number)) return std::nullopt;
  std::string_view unit(end, text.data() + text.size() - end);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  constexpr std::string_view kUnits[] = {"b", "kib", "mib", "gib", "tib"};
  double scale = 1;
  for (std::string_view known : kUnits) {
    const bool same = unit.size() == known.size() && std::equal(unit.begin(), unit.end(), known.begin(), [](char a, char b) {
                        return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
                      });
    if (same || unit.empty()) {
      const double bytes = number * scale;
      if (bytes >= 0x1p62) return std::nullopt;
      return static_cast<int64_t>(bytes);
    }
    scale *= 1024;
  }
  return std::nullopt;
}

}  // namespace hsa
