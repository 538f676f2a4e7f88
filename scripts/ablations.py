#!/usr/bin/env python3
"""What each choice of the index earns: keys read for a tolerance, with one number of the graph changed at a time, as a Markdown table.

    scripts/ablations.py qkv_32k_prose_L15.safetensors                     # after make build
    scripts/ablations.py --tolerance 0.05 --only tile_queries -- FILE...

Compiles examples/causal_gqa.textproto with `splats { … }` and runs it over each FILE (q [3,N,64], k and v [1,M,64]) as a user gets it: calibrated,
all queries. A cell is the share of visible keys that were read, and the share of verified rows that kept the tolerance. Neither depends on the load.
"""

import argparse
import json
import pathlib
import sys
import tempfile

from curve import GRAPH, MASK, ROOT, CurveError, percent, run

CHOICES = {
    "as it is": [""],
    "order": ["order: 0"],
    "query_order": ["query_order: POSITION"],
    "tile_queries": [f"tile_queries: {tile}" for tile in (16, 32, 128)],
    "bands": [f"bands: {bands}" for bands in (1, 4, 16, 64)],
    "segment_tokens": [f"segment_tokens: {tokens}" for tokens in (4096, 16384)],
    "window_tokens": ["window_tokens: 256 mini_segment_tokens: 256 segment_tokens: 4096"],
}


def compile_plan(options, folder, splats):
    graph, plan = folder / "graph.textproto", folder / "graph.hsaplan"
    text = GRAPH.read_text(encoding="utf-8")
    graph.write_text(text.replace(MASK, f"{MASK} splats {{ {splats} }}"), encoding="utf-8")
    run(options.tools / "hsa-compile", graph, "--precision", "f32", "-o", plan)
    return plan


def cell(options, folder, plan, capture, tolerance):
    report = folder / "report.json"
    run(options.tools / "hsa-run", plan, "--in", capture, "--tolerance", tolerance, "--verify", options.verify, "--seed", options.seed, "--report", report)
    result = json.loads(report.read_text(encoding="utf-8"))
    dense = "*" if result["dense_blocks"] > 0 else ""
    return f"{percent(result['read']['total_fraction'])}{dense} ({percent(result['verified']['coverage'])})"


def print_table(options, folder):
    columns = ["splats"] + [f"{capture.stem}, ε = {tolerance:g}" for capture in options.captures for tolerance in options.tolerance]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for name in options.only or CHOICES:
        for splats in CHOICES[name]:
            plan = compile_plan(options, folder, splats)
            cells = [cell(options, folder, plan, capture, tolerance) for capture in options.captures for tolerance in options.tolerance]
            print(f"| {splats or name} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Keys read for a tolerance, with one number of the index changed at a time.")
    parser.add_argument("captures", type=pathlib.Path, nargs="+", metavar="FILE", help="safetensors file with q [3,N,64], k and v [1,M,64]")
    parser.add_argument("--tools", type=pathlib.Path, default=ROOT / "build/release/bin", metavar="FOLDER", help="where hsa-compile and hsa-run are")
    parser.add_argument("--tolerance", type=float, nargs="+", default=[0.05, 0.01], metavar="E")
    parser.add_argument("--only", nargs="+", choices=CHOICES, help="default: all")
    parser.add_argument("--verify", type=int, default=256, metavar="N", help="random query positions, all heads")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            print_table(options, pathlib.Path(folder))
    except CurveError as why:
        print(f"ablations: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
