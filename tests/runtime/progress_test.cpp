#include "runtime/progress.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace hsa {
namespace {

// What is in the pipe or terminal now, without waiting.
std::string Drain(int file) {
  fcntl(file, F_SETFL, O_NONBLOCK);
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t size = 0; (size = read(file, buffer.data(), buffer.size())) > 0;) text.append(buffer.data(), static_cast<std::size_t>(size));
  return text;
}

TEST(ProgressTest, SaysNothingWhereThereIsNoTerminal) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    ProgressBar bar("attention", ends[1]);
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    bar.Update(0.5);
  }
  EXPECT_EQ(Drain(ends[0]), "");
  close(ends[0]);
  close(ends[1]);
}

TEST(ProgressTest, DrawsAtMostTenTimesASecondAndIsErasedAtTheEnd) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) GTEST_SKIP() << "no pseudo-terminal here";
  const int other_end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  ASSERT_GE(other_end, 0);
  {
    ProgressBar bar("attention", other_end);
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(350)) bar.Update(0.5);
  }
  const std::string text = Drain(terminal);
  std::size_t drawn = 0;
  for (std::size_t at = text.find("attention ["); at != std::string::npos; at = text.find("attention [", at + 1)) ++drawn;
  EXPECT_GE(drawn, 1u) << text;
  EXPECT_LE(drawn, 4u) << text;
  EXPECT_NE(text.find(" 50 %"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\r\x1b[K")) << text;
  close(other_end);
  close(terminal);
}

}  // namespace
}  // namespace hsa
