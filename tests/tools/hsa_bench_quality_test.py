#!/usr/bin/env python3
"""hsa-bench quality, from the command line to its files: over the shipped capture, over an input small enough to compute its oracle here, and over
inputs that it refuses.

    hsa_bench_quality_test.py HSA_BENCH SOURCE_DIR
"""

import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

BENCH, SOURCE = sys.argv[1:3]
CAPTURE = os.path.join(SOURCE, "examples/data/qkv_8k_prose_L22.safetensors")


def quality(*arguments):
    return subprocess.run([BENCH, "quality", *arguments], capture_output=True, text=True, check=False, timeout=240)


def make_input(path, *tensors):
    subprocess.run([sys.executable, os.path.join(SOURCE, "tests/bad_input/make_input.py"), path, *tensors], check=True)


def write_f32(path, tensors):
    """The inverse of read_f32."""
    header, data = {}, b""
    for name, heads in tensors.items():
        flat = [element for head in heads for row in head for element in row]
        packed = struct.pack(f"<{len(flat)}f", *flat)
        shape = [len(heads), len(heads[0]), len(heads[0][0])]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the data starts at a multiple of 8
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def gaussian(seed, *shape):
    """Numbers of N(0, 1) that f32 holds exactly, nested as `shape`."""
    generator = random.Random(seed)

    def draw(shape):
        if not shape:
            return struct.unpack("<f", struct.pack("<f", generator.gauss(0, 1)))[0]
        return [draw(shape[1:]) for _ in range(shape[0])]

    return draw(shape)


def read_f32(path):
    """Tensors of a safetensors file as {name: [head][token][dim]}."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        heads, tokens, dim = entry["shape"]
        flat = struct.unpack(f"<{heads * tokens * dim}f", data[8 + length + entry["data_offsets"][0] : 8 + length + entry["data_offsets"][1]])
        tensors[name] = [[flat[(h * tokens + t) * dim : (h * tokens + t + 1) * dim] for t in range(tokens)] for h in range(heads)]
    return tensors


def output(scores, value, keys):
    """Softmax over `keys` alone, times value."""
    top = max(scores[j] for j in keys)
    weights = {j: math.exp(scores[j] - top) for j in keys}
    total = sum(weights.values())
    return [sum(weights[j] * value[j][c] for j in keys) / total for c in range(len(value[0]))]


def errors_of_top_keys(tensors, head, i):
    """Relative L2 of the output over the top 1, 2, ... keys."""
    query, key, value = tensors["q"][head][i], tensors["k"][0], tensors["v"][0]
    visible = range(len(key) - len(tensors["q"][0]) + i + 1)
    scores = [sum(a * b for a, b in zip(query, key[j])) / math.sqrt(len(query)) for j in visible]
    ranked = sorted(visible, key=lambda j: -scores[j])
    exact = output(scores, value, visible)
    tops = [output(scores, value, ranked[:count]) for count in range(1, len(ranked) + 1)]
    return [math.dist(top, exact) / math.hypot(*exact) for top in tops]


def all_and_heads(result):
    """All heads together, then each."""
    return [result["all"], *result["heads"]]


DECODE_METHODS = ("oracle", "blocks", "kmeans", "bisection_order0", "bisection_order2", "full")


class CaptureTest(unittest.TestCase):
    """The shipped 8K capture, whose near field is an eighth of the keys."""

    errors, budgets = [0.1, 0.05], [0.036, 0.3]

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        paths = [os.path.join(cls.folder.name, name) for name in ("quality.json", "quality.html")]
        cls.done = quality(CAPTURE, "--errors", "0.1,0.05", "--budgets", "0.036,0.3", "--verify", "48", "--oracle-queries", "24",
                           "--decode-budgets", "0.0045,0.036,0.15", "--json", paths[0], "--html", paths[1])
        if cls.done.returncode != 0:
            raise AssertionError(f"exit status {cls.done.returncode}: {cls.done.stderr}")
        with open(paths[0], encoding="utf-8") as file:
            cls.report = json.load(file)
        with open(paths[1], encoding="utf-8") as file:
            cls.page = file.read()
        cls.file = cls.report["files"][0]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def runs(self):
        """(name, held to an error, run) of all runs that there are."""
        for kind, points in (("error", self.file["errors"]), ("budget", self.file["budgets"])):
            for point in points:
                for method in ("full", "order0_position"):
                    if "refused" not in point[method]:
                        yield f"{method} {kind} {point[kind]}", kind == "error", point[method]

    def test_says_how_it_was_made(self):
        self.assertIn("quality", self.report["command"])
        self.assertIn("--budgets 0.036,0.3", self.report["command"])
        self.assertTrue(self.report["cpu"])
        self.assertRegex(self.report["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual([point["error"] for point in self.file["errors"]], self.errors)
        self.assertEqual([point["budget"] for point in self.file["budgets"]], self.budgets)
        self.assertEqual((self.file["q"], self.file["k"]), ([3, 8192, 64], [1, 8192, 64]))

    def test_shares_add_up(self):
        for name, _, run in self.runs():
            with self.subTest(name):
                self.assertEqual([head["head"] for head in run["heads"]], [0, 1, 2])
                for read in (head["read"] for head in all_and_heads(run)):
                    self.assertAlmostEqual(read["near_fraction"] + read["nodes_fraction"] + read["leaves_fraction"], read["total_fraction"], 12)
                    self.assertTrue(0.1 < read["near_fraction"] < read["total_fraction"] < 1, read)
                total = [head["read"]["total_fraction"] for head in all_and_heads(run)]
                self.assertAlmostEqual(total[0], sum(total[1:]) / 3, 12)

    def test_rows_that_calibrated_are_left_out(self):
        for name, _, run in self.runs():
            with self.subTest(name):
                rows = [head["rows"] for head in all_and_heads(run)]
                self.assertEqual(rows[0], sum(rows[1:]))
                self.assertTrue(3 * 40 <= rows[0] < 3 * 48, rows)  # one position in 43 calibrates, two of these

    def test_coverage_is_near_the_confidence(self):
        for name, held, run in self.runs():
            with self.subTest(name):
                if held:
                    self.assertGreaterEqual(run["all"]["coverage"], 0.9)
                else:
                    self.assertIsNone(run["all"]["coverage"])

    def test_less_error_reads_more(self):
        for method in ("full", "order0_position"):
            loose, tight = (point[method]["all"] for point in self.file["errors"])
            self.assertLess(loose["read"]["total_fraction"], tight["read"]["total_fraction"])
            self.assertGreater(loose["rel_l2"]["p95"], tight["rel_l2"]["p95"])

    def test_methods_differ(self):
        for point in self.file["errors"]:
            full, plain = (point[method]["all"] for method in ("full", "order0_position"))
            self.assertNotEqual(full["read"]["total_fraction"], plain["read"]["total_fraction"])
            self.assertIn("order 2", point["full"]["mode"])
            self.assertIn("order 0", point["order0_position"]["mode"])

    def test_the_oracle_needs_least(self):
        for point in self.file["errors"]:
            for oracle, full in zip(all_and_heads(point["oracle"]), all_and_heads(point["full"]), strict=True):
                self.assertEqual(oracle.get("head"), full.get("head"))
                self.assertTrue(0 < oracle["share"] < full["read"]["total_fraction"], (oracle, full))
        point = self.file["budgets"][1]
        self.assertLess(point["oracle"]["all"]["rel_l2"]["p95"], point["full"]["all"]["rel_l2"]["p95"])

    def test_budgets(self):
        below, kept = self.file["budgets"]
        for method in ("full", "order0_position"):
            self.assertIn("least that works", below[method]["refused"])
            for head in all_and_heads(kept[method]):
                self.assertLessEqual(head["read"]["total_fraction"], 0.3 * 1.05)  # a run chooses its thresholds by a sample of tiles
            error = kept[method]["all"]["rel_l2"]
            self.assertTrue(0 < error["median"] <= error["p90"] <= error["p95"] < 0.5, error)

    def test_the_screen_has_the_same_numbers(self):
        tables = [line for line in self.done.stdout.splitlines() if not line.startswith(str(CAPTURE))]  # a path may be of any length
        self.assertLessEqual(max(map(len, tables)), 120)
        for point in self.file["errors"]:
            self.assertIn(f"{100 * point['full']['all']['read']['total_fraction']:.1f}", self.done.stdout)

    def test_the_page_needs_nothing_else(self):
        page = xml.etree.ElementTree.fromstring(self.page)
        self.assertNotIn("http", self.page)
        self.assertFalse(any("src" in element.attrib or "href" in element.attrib for element in page.iter()))
        charts = [svg for svg in page.iter("svg") if svg.get("role") == "img"]
        # all heads and three, then three quantiles; of single queries three quantiles, then three heads; anatomies of all heads and three
        self.assertEqual(len(charts), 4 + 3 + 3 + 3 + 4)
        for chart in charts[:4]:
            self.assertEqual([path.get("class") for path in chart.iter("path")], ["full", "order0_position", "oracle"])
            self.assertEqual(len(list(chart.iter("circle"))), 3 * len(self.errors))
        for chart in charts[7:13]:
            self.assertEqual([path.get("class") for path in chart.iter("path")], list(DECODE_METHODS))
        for chart in charts[13:]:
            self.assertEqual([path.get("class") for path in chart.iter("path")], ["value_error", "mass_error", "error"])

    def test_ratio_to_the_oracle(self):
        for point in self.file["errors"]:
            for method in ("full", "order0_position"):
                read = point[method]["all"]["read"]["total_fraction"]
                self.assertAlmostEqual(point["ratio_to_oracle"][method], read / point["oracle"]["share_by_head"], 9)
                self.assertIn(f"{point['ratio_to_oracle'][method]:.1f}", self.done.stdout)

    def test_single_queries(self):
        none, some, much = self.file["decode"]["budgets"]
        for method in DECODE_METHODS:
            for heads in zip(*(all_and_heads(point[method]) for point in (none, some, much)), strict=True):
                least, error, less = (head["rel_l2"] for head in heads)
                if method != "oracle":
                    self.assertIsNone(least["median"])  # 0.45 % of 6,144 keys are fewer than the 68 near keys
                for quantile in ("median", "p90", "p95"):
                    self.assertTrue(0 < less[quantile] < error[quantile], (method, heads))
            self.assertEqual([head["rows"] for head in all_and_heads(much[method])], [72, 24, 24, 24])
        self.assertEqual((none["group_keys"], much["group_keys"]), (0, 16))
        self.assertTrue(32 < some["group_keys"] < 128, some["group_keys"])  # about half of 3.6 % − 68 keys

    def test_what_each_step_of_the_method_earns(self):
        p90 = {method: self.file["decode"]["budgets"][2][method]["all"]["rel_l2"]["p90"] for method in DECODE_METHODS}
        for better, worse in (("oracle", "full"), ("full", "bisection_order0"), ("full", "bisection_order2"), ("bisection_order0", "blocks"),
                              ("bisection_order0", "kmeans")):
            self.assertLess(p90[better], p90[worse], p90)

    def test_anatomy(self):
        anatomy = self.file["decode"]["anatomy"]
        self.assertEqual(anatomy["budget"], self.file["decode"]["budgets"][1]["budget"])
        for head, full in zip(all_and_heads(anatomy), all_and_heads(self.file["decode"]["budgets"][1]["full"]), strict=True):
            whole, *levels = head["levels"]
            self.assertEqual([level["level_tokens"] for level in head["levels"]], ["all", 16, 64, 256, 1024, 8192])
            for name in ("scored", "opened", "closed_mass"):
                self.assertAlmostEqual(whole[name], sum(level[name] for level in levels), 9)
            for level, finer in zip(levels[1:4], levels):
                self.assertAlmostEqual(4 * level["opened"], finer["scored"], delta=3)  # more are roots of a part of a mini-segment
            self.assertEqual(levels[4]["scored"], 0)  # no whole segment lies before the last quarter of 8K
            self.assertTrue(full["rel_l2"]["median"] < whole["error"] < 2 * full["rel_l2"]["p95"], (whole, full))  # the same rows
            self.assertAlmostEqual(sum(head["thirds"]), 1, 9)
            self.assertTrue(0.1 < head["worst_tenth"] < 1, head["worst_tenth"])


class OracleTest(unittest.TestCase):
    """An input with few queries among the last quarter of its keys: all of them are taken, so that Python comes to the same numbers."""

    def test_matches_python(self):
        errors, budgets = [0.3, 0.1, 0.01], [0.1, 0.5, 1.0]
        with tempfile.TemporaryDirectory() as folder:
            path, report = os.path.join(folder, "small.safetensors"), os.path.join(folder, "small.json")
            make_input(path, "q:F32:2x40x16", "k:F32:1x60x16", "v:F32:1x60x16")
            done = quality(path, "--errors", "0.3,0.1,0.01", "--budgets", "0.1,0.5,1", "--verify", "4", "--json", report)
            self.assertEqual(done.returncode, 0, done.stderr)
            tensors = read_f32(path)
            with open(report, encoding="utf-8") as file:
                points = json.load(file)["files"][0]
        late = range(25, 40)  # positions 45 to 59 of 60
        visible = sum(20 + i + 1 for i in late) / 15
        for place, heads in enumerate(([0, 1], [0], [1])):  # all of them, then each
            rows = [errors_of_top_keys(tensors, head, i) for head in heads for i in late]
            at = [sorted(row[min(count, len(row)) - 1] for row in rows) for count in range(1, 61)]
            for point, error in zip(points["errors"], errors):
                wanted = next(count for count in range(1, 61) if sum(e <= error for e in at[count - 1]) >= 0.95 * len(rows))
                oracle = all_and_heads(point["oracle"])[place]
                with self.subTest(heads=heads, error=error):
                    self.assertEqual(oracle["rows"], len(rows))
                    self.assertEqual(oracle["keys"], wanted)
                    self.assertAlmostEqual(oracle["share"], min(1, wanted / visible), 9)
                    self.assertAlmostEqual(point["oracle"]["share_by_head"], sum(head["share"] for head in point["oracle"]["heads"]) / 2, 9)
            for point, budget in zip(points["budgets"], budgets):
                count = round(budget * visible) if budget < 1 else 60
                oracle = all_and_heads(point["oracle"])[place]
                with self.subTest(heads=heads, budget=budget):
                    self.assertAlmostEqual(oracle["rel_l2"]["median"], at[count - 1][math.ceil(0.5 * len(rows)) - 1], 9)
                    self.assertAlmostEqual(oracle["rel_l2"]["p95"], at[count - 1][math.ceil(0.95 * len(rows)) - 1], 9)


def mean(numbers):
    return sum(numbers) / len(numbers)


def errors_of_single_query(tensors, head, i, keys, group_keys):
    """Relative L2 for `keys` key-equivalents: over the top keys alone, and with 4 sinks, the last 64 keys and the heaviest blocks exact."""
    query, key, value = tensors["q"][head][i], tensors["k"][0], tensors["v"][0]
    visible = len(key) - len(tensors["q"][0]) + i + 1
    scores = [sum(a * b for a, b in zip(query, key[j])) / math.sqrt(len(query)) for j in range(visible)]
    exact = output(scores, value, range(visible))
    top = output(scores, value, sorted(range(visible), key=lambda j: -scores[j])[: keys(visible)])
    blocks = [range(j, min(j + group_keys, visible - 64)) for j in range(4, visible - 64, group_keys)]
    mean_score = {block: mean([scores[j] for j in block]) for block in blocks}
    left = keys(visible) - 68 - len(blocks)
    seen, values = scores[:], [list(row) for row in value[:visible]]  # as they are, and in closed blocks their means
    for block in sorted(blocks, key=lambda block: -len(block) * math.exp(mean_score[block])):
        if len(block) <= left:
            left -= len(block)
            continue
        for j in block:
            seen[j], values[j] = mean_score[block], [mean([value[m][c] for m in block]) for c in range(len(value[0]))]
    return [math.dist(o, exact) / math.hypot(*exact) for o in (top, output(seen, values, range(visible)))]


class DecodeTest(unittest.TestCase):
    """Inputs of which it is known what some method makes of them."""

    def decode(self, tensors, budgets):
        with tempfile.TemporaryDirectory() as folder:
            path, report = os.path.join(folder, "small.safetensors"), os.path.join(folder, "small.json")
            write_f32(path, tensors)
            done = quality(path, "--errors", "0.1", "--budgets", "1", "--verify", "4", "--decode-budgets", ",".join(map(str, budgets)),
                           "--json", report)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(report, encoding="utf-8") as file:
                return json.load(file)["files"][0]["decode"]

    def test_oracle_and_blocks_match_python(self):
        budgets = [0.2, 0.5]
        tensors = {"q": gaussian(1, 2, 30, 16), "k": gaussian(2, 1, 330, 16), "v": gaussian(3, 1, 330, 16)}
        decode = self.decode(tensors, budgets)
        # 301 keys, 68 of them near: of 20 % nothing is left, half of 50 % − 68 is 41 groups
        self.assertEqual([point["group_keys"] for point in decode["budgets"]], [0, 16])
        for point, budget in zip(decode["budgets"], budgets):
            keys = lambda visible: math.floor(budget * visible + 0.5)
            rows = [[errors_of_single_query(tensors, head, i, keys, 16) for i in range(30)] for head in range(2)]
            for place, heads in enumerate(([0, 1], [0], [1])):
                for method, name in enumerate(("oracle", "blocks")):
                    found = all_and_heads(point[name])[place]["rel_l2"]
                    ranked = sorted(row[method] for head in heads for row in rows[head])
                    with self.subTest(budget=budget, heads=heads, method=name):
                        for quantile, share in (("median", 0.5), ("p90", 0.9), ("p95", 0.95)):
                            if budget == 0.2 and name == "blocks":
                                self.assertIsNone(found[quantile])
                            else:
                                self.assertAlmostEqual(found[quantile], ranked[math.ceil(share * len(ranked)) - 1], 9)

    def test_keys_that_repeat_lose_nothing_in_blocks(self):
        distinct = gaussian(4, 1, 30, 16)[0]
        keys = [[distinct[max(0, j - 4) // 16] for j in range(330)]]
        point = self.decode({"q": gaussian(5, 1, 20, 16), "k": keys, "v": gaussian(6, 1, 330, 16)}, [0.5])["budgets"][0]
        self.assertLess(point["blocks"]["all"]["rel_l2"]["p95"], 1e-6)
        self.assertGreater(point["oracle"]["all"]["rel_l2"]["median"], 1e-2)

    def test_nothing_is_lost_at_the_reference(self):
        """Queries that are all the same are their own reference, where masses and values of nodes are exact; about 0 they are not."""
        query = gaussian(7, 1, 16)[0]
        decode = self.decode({"q": [[query] * 90], "k": gaussian(8, 1, 2500, 16), "v": gaussian(9, 1, 2500, 16)}, [0.036, 0.1])
        for point in decode["budgets"]:
            self.assertLess(point["full"]["all"]["rel_l2"]["p95"], 1e-6)
            self.assertGreater(point["bisection_order2"]["all"]["rel_l2"]["median"], 1e-2)
        self.assertLess(decode["anatomy"]["all"]["levels"][0]["log_mass_rms"], 1e-6)

    def test_values_that_agree_in_every_node_leave_masses_to_blame(self):
        """Two clusters of keys with a value each, a mini-segment of one, then of the other: no node holds keys of both."""
        side = lambda j: 1 if j // 1024 % 2 else -1
        keys = [[8.0 * side(j), *row] for j, row in enumerate(gaussian(10, 1, 4096, 15)[0])]
        query = [[[0.0, *row] for row in gaussian(11, 1, 60, 15)[0]]]
        values = [[float(side(j)), 1.0] for j in range(4096)]
        whole = self.decode({"q": query, "k": [keys], "v": [values]}, [0.036])["anatomy"]["all"]["levels"][0]
        self.assertGreater(whole["mass_error"], 1e-3)
        self.assertLess(whole["value_error"], 0.1 * whole["mass_error"])
        self.assertAlmostEqual(whole["error"], whole["mass_error"], delta=0.1 * whole["mass_error"])

    def test_values_that_follow_the_keys_are_met_by_the_tilt(self):
        """Values that are the keys themselves: what is left of a node's value error is of second order. Wants a whole segment before the queries."""
        keys = gaussian(12, 1, 9500, 16)
        query = [[[2.0 * element for element in row] for row in gaussian(13, 1, 60, 16)[0]]]
        decode = self.decode({"q": query, "k": keys, "v": keys}, [0.036])
        self.assertLess(decode["anatomy"]["all"]["levels"][0]["value_error"], 0.25)  # 0.11; 0.61 without the tilt
        full, plain = (decode["budgets"][0][method]["all"]["rel_l2"]["median"] for method in ("full", "bisection_order2"))
        self.assertLess(full, 0.3 * plain)


class LastTest(unittest.TestCase):
    def test_only_the_last_queries_are_run(self):
        with tempfile.TemporaryDirectory() as folder:
            report = os.path.join(folder, "last.json")
            done = quality(CAPTURE, "--last", "2048", "--errors", "0.1", "--budgets", "0.3", "--verify", "256", "--oracle-queries", "8",
                           "--decode-budgets", "0.15", "--json", report)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(report, encoding="utf-8") as file:
                report = json.load(file)
        file, point = report["files"][0], report["files"][0]["errors"][0]
        self.assertEqual((report["last"], file["q"], file["k"]), (2048, [3, 2048, 64], [1, 8192, 64]))
        near = sum(4 + position % 1024 + 1 for position in range(6144, 8192)) / sum(range(6145, 8193))
        for head in all_and_heads(point["full"]):
            self.assertAlmostEqual(head["read"]["near_fraction"], near, 9)
        self.assertTrue(3 * 200 < point["full"]["all"]["rows"] < 3 * 256, point["full"]["all"]["rows"])  # one position in ten calibrates


class RefusalTest(unittest.TestCase):
    """One line on standard error, and the exit status."""

    def refuses(self, status, words, *arguments):
        done = quality(*arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            at = lambda name: os.path.join(folder, name)
            make_input(at("no_v"), "q:BF16:3x64x64", "k:BF16:1x64x64")
            make_input(at("heads"), "q:BF16:3x64x64", "k:BF16:2x64x64", "v:BF16:2x64x64")
            make_input(at("dim"), "q:BF16:3x64x64", "k:BF16:1x64x32", "v:BF16:1x64x64")
            make_input(at("tokens"), "q:BF16:3x65x64", "k:BF16:1x64x64", "v:BF16:1x64x64")
            make_input(at("rank"), "q:BF16:192x64", "k:BF16:1x64x64", "v:BF16:1x64x64")
            make_input(at("value"), "q:BF16:3x64x64", "k:BF16:1x64x64", "v:BF16:1x32x64")
            for name, words in {"nowhere": ["nowhere", "No such file"], "no_v": ["no_v", "'v'"], "heads": ["heads", "[3,64,64]", "2 heads"],
                                "dim": ["dim", "32"], "tokens": ["tokens", "65", "64 tokens"], "rank": ["rank", "[192,64]"],
                                "value": ["value", "[1,32,64]", "[1,64,"]}.items():
                with self.subTest(name):
                    self.refuses(1, words, at(name))
            self.refuses(1, [CAPTURE, "8193", "8192 tokens"], CAPTURE, "--last", "8193")
            self.refuses(1, ["nowhere"], CAPTURE, at("nowhere"))  # before anything runs
            self.refuses(1, ["does not exist"], CAPTURE, "--json", at("no/such.json"))

    def test_flags(self):
        for words, arguments in ((["FILE"], []), (["--errors", "'1'"], ["--errors", "0.1,1", CAPTURE]), (["--errors", "'nan'"], ["--errors", "nan", CAPTURE]),
                                 (["--budgets", "'0'"], ["--budgets", "0", CAPTURE]), (["--verify", "'x'"], ["--verify", "x", CAPTURE]),
                                 (["--decode-budgets", "'2'"], ["--decode-budgets", "2", CAPTURE]), (["--last", "'0'"], ["--last", "0", CAPTURE]),
                                 (["--frobnicate"], ["--frobnicate", CAPTURE]), (["--json", "same"], [CAPTURE, "--json", CAPTURE])):
            with self.subTest(arguments):
                self.refuses(2, words, *arguments)

    def test_without_quality_the_flags_are_google_benchmarks(self):
        done = subprocess.run([BENCH, "--benchmark_list_tests"], capture_output=True, text=True, check=False, timeout=60, cwd=SOURCE)
        self.assertEqual(done.returncode, 0)
        self.assertIn("SplatsRun/n:8192", done.stdout.splitlines())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        unittest.main(argv=sys.argv[:1])
