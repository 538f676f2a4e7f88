#!/usr/bin/env python3
"""hsa-bench's own reports over a few fast benchmarks: Markdown, HTML, the comparison with an earlier run, and what it refuses.

    hsa_bench_results_test.py HSA_BENCH SOURCE_DIR
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

BENCH, SOURCE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
FEW = "^(PlanLoad|ExactRun/d:64/n:(512|1024)/causal:1/threads:1)$"
OF_CAPTURES = "^(IndexBuild/n:8192|Scaling/(exact|theta)/n:8192|Decode/n:32768|Streaming/n:32768)"


def bench(*arguments, benchmarks=FEW):
    flags = [f"--benchmark_filter={benchmarks}", "--benchmark_min_time=0.001"]
    return subprocess.run([BENCH, *flags, *arguments], cwd=SOURCE, capture_output=True, text=True, check=False, timeout=280)


class Results(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        os.environ["XDG_CACHE_HOME"] = cls.folder.name
        cls.run_once = bench(
            "--markdown", cls.path("r.md"), f"--html={cls.path('r.html')}", f"--benchmark_out={cls.path('r.json')}", "--benchmark_repetitions=3"
        )

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    def refused(self, status, words, *arguments):
        done = bench(*arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)  # before a benchmark has run
        self.assertIn(words, done.stderr)

    # The run of setUpClass as if it had taken so many times as long.
    def old(self, factor):
        results = json.loads(pathlib.Path(self.path("r.json")).read_text(encoding="utf-8"))
        for entry in results["benchmarks"]:
            entry["real_time"] *= factor
        name = self.path(f"old{factor}.json")
        pathlib.Path(name).write_text(json.dumps(results), encoding="utf-8")
        return name

    def test_display_is_that_of_google_benchmark(self):
        self.assertEqual(self.run_once.returncode, 0, self.run_once.stderr)
        self.assertIn("ExactRun/d:64/n:512/causal:1/threads:1", self.run_once.stdout)
        self.assertIn("_median", self.run_once.stdout)
        self.assertIn('"benchmarks"', bench("--benchmark_format=json").stdout)

    def test_markdown_has_a_table_for_each_family(self):
        text = pathlib.Path(self.path("r.md")).read_text(encoding="utf-8")
        for family in ("ExactRun", "PlanLoad"):
            self.assertEqual(text.count(f"\n## {family}\n| benchmark | ms |"), 1, text)
        row = next(line for line in text.splitlines() if line.startswith("| ExactRun/d:64/n:1024/"))
        head = next(line for line in text.splitlines() if line.startswith("| benchmark | ms | cpu_of_peak"))
        cells = dict(zip(*([cell.strip() for cell in line.split("|")] for line in (head, row))))
        self.assertTrue(0 < float(cells["ms"]) < 1e5, row)
        self.assertGreater(float(cells["peak_gflops"]), 0.1)

    def test_page_is_well_formed_and_needs_nothing_else(self):
        page = pathlib.Path(self.path("r.html")).read_text(encoding="utf-8")
        root = xml.etree.ElementTree.fromstring(page)
        self.assertNotIn("http", page)
        titles = [title.text for title in root.iter("title")]
        self.assertIn("ExactRun", titles)
        self.assertNotIn("PlanLoad", titles)  # one number is no chart
        circles = [circle for svg in root.iter("svg") for circle in svg.iter("circle")]
        self.assertGreaterEqual(len(circles), 4)  # two lengths, in ms and of the peak

    def test_slower_than_before_is_told_and_is_an_exit_status(self):
        done = bench("--compare", self.old(0.001))
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("SLOWER"), 3, done.stdout)
        self.assertIn("3 slower by more than the noise", done.stdout)

    def test_faster_than_before_is_told(self):
        done = bench(f"--compare={self.old(1000)}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("  faster "), 3, done.stdout)
        self.assertIn("\n0 slower by more than the noise\n", done.stdout)

    def test_benchmarks_without_an_old_measurement_are_counted(self):
        name = self.path("none.json")
        pathlib.Path(name).write_text('{"benchmarks": []}', encoding="utf-8")
        done = bench("--compare", name)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0 slower by more than the noise, 3 without an old measurement", done.stdout)

    def test_wrong_files_are_refused(self):
        self.refused(1, "none/such.json: cannot be opened", "--compare", "none/such.json")
        half = self.path("half.json")
        pathlib.Path(half).write_text(pathlib.Path(self.path("r.json")).read_text(encoding="utf-8")[:500], encoding="utf-8")
        self.refused(1, "half.json: is not a result of Google Benchmark", "--compare", half)
        pathlib.Path(half).write_text('{"benchmarks": [{"run_name": "PlanLoad", "real_time": "fast"}]}', encoding="utf-8")
        self.refused(1, "half.json: is not a result of Google Benchmark", "--compare", half)
        self.refused(1, "none/r.html: cannot write", "--html", "none/r.html")
        self.refused(2, "--compare: no file follows", "--compare")
        self.refused(2, "--markdown: is empty", "--markdown=")

    def test_benchmarks_of_captures(self):
        done = bench(f"--benchmark_out={self.path('c.json')}", benchmarks=OF_CAPTURES)
        self.assertEqual(done.returncode, 0, done.stderr)
        entries = {entry["run_name"].split("/")[0]: entry for entry in json.loads(pathlib.Path(self.path("c.json")).read_text())["benchmarks"]}
        self.assertEqual(set(entries), {"IndexBuild", "Scaling", "Decode", "Streaming"})
        for entry in entries.values():
            self.assertFalse(entry.get("error_occurred", False), entry)
        self.assertTrue(0 < entries["IndexBuild"]["share_of_exact"] < 1, entries["IndexBuild"])
        self.assertTrue(0 < entries["Scaling"]["two_over_one"] < 20, entries["Scaling"])
        self.assertTrue(0 < entries["Decode"]["read"] < 0.5, entries["Decode"])
        self.assertGreater(entries["Decode"]["speedup"], 0)
        self.assertTrue(0 < entries["Streaming"]["peak_mib"] <= entries["Streaming"]["budget_mib"], entries["Streaming"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
