#!/usr/bin/env python3
"""Error against the share of keys read: a Markdown table per order of the splats, over a grid of thresholds.

    scripts/curve.py examples/data/qkv_8k_prose_L22.safetensors            # after make build
    scripts/curve.py --no-timing --theta 0.1 0.01 0.001 -- FILE

Compiles examples/causal_gqa.textproto as it is (order 2) and with `splats { order: 0 }`, and runs both over FILE (q [3,N,64], k and v [1,M,64]) at
every θ. Errors are relative L2 to float64 over --verify random positions of all heads; they depend on neither the load nor the number of threads.
Speed-ups are wall-clock of exact over wall-clock at θ, index included, best of --rounds each: only worth reading on a quiet machine.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
GRAPH = ROOT / "examples" / "causal_gqa.textproto"
MASK = "mask { causal: true }"
GRID = [0.1, 0.05, 0.02, 0.01, 0.005, 0.003, 0.002, 0.001, 0.0005, 0.0002, 0.0001]


class CurveError(Exception):
    """Why there is no table, in one line."""


def run(*command):
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    except OSError as error:
        raise CurveError(f"{command[0]}: {error.strerror}; run make build, or give --tools") from error
    if done.returncode != 0:
        raise CurveError(done.stderr.strip() or f"{command[0]}: exit status {done.returncode}")


def graph_text(order):
    text = GRAPH.read_text(encoding="utf-8")
    if text.count(MASK) != 1:
        raise CurveError(f"{GRAPH}: '{MASK}' is there {text.count(MASK)} times, wanted once")
    return text.replace(MASK, f"{MASK} splats {{ order: {order} }}")


def compile_plan(options, folder, order):
    graph, plan = folder / f"order{order}.textproto", folder / f"order{order}.hsaplan"
    graph.write_text(graph_text(order), encoding="utf-8")
    run(options.tools / "hsa-compile", graph, "--precision", "f32", "-o", plan)
    return plan


def report_of(options, folder, plan, *mode):
    """The report of one run: its errors, and the least seconds of all rounds."""
    path = folder / "report.json"
    fewest, report = float("inf"), None
    for round_number in range(1 if options.no_timing else options.rounds):
        verify = ["--verify", options.verify] if round_number == 0 and mode[0] != "--exact" else []
        threads = ["--threads", options.threads] if options.threads else []
        run(options.tools / "hsa-run", plan, "--in", options.capture, "--seed", options.seed, "--report", path, *mode, *verify, *threads)
        read = json.loads(path.read_text(encoding="utf-8"))
        report = report or read
        fewest = min(fewest, read["seconds"]["total"])
    report["seconds"]["total"] = fewest
    return report


def percent(share):
    return f"{100 * share:.1f}"


def error(value):
    return "not finite" if value is None else f"{value:.2g}"


def print_table(options, folder, order):
    plan = compile_plan(options, folder, order)
    exact_seconds = None if options.no_timing else report_of(options, folder, plan, "--exact")["seconds"]["total"]
    columns = ["θ", "read %", "near %", "nodes %", "leaves %", "median", "p90", "p95"]
    if exact_seconds is not None:
        columns += ["speed-up", "ceiling"]
    print(f"\nOrder {order}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for theta in options.theta:
        report = report_of(options, folder, plan, "--theta", theta)
        read, verified = report["read"], report["verified"]
        cells = [f"{theta:g}"] + [percent(read[f"{part}_fraction"]) for part in ("total", "near", "nodes", "leaves")]
        cells += [error(verified[quantile]) for quantile in ("median", "p90", "p95")]
        if exact_seconds is not None:
            cells += [f"{exact_seconds / report['seconds']['total']:.2f}", f"{1 / read['total_fraction']:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Error against the share of keys read, order 2 beside order 0.")
    parser.add_argument("capture", type=pathlib.Path, metavar="FILE", help="safetensors file with q [3,N,64], k and v [1,M,64]")
    parser.add_argument("--tools", type=pathlib.Path, default=ROOT / "build/release/bin", metavar="FOLDER", help="where hsa-compile and hsa-run are")
    parser.add_argument("--theta", type=float, nargs="+", default=GRID, metavar="T")
    parser.add_argument("--order", type=int, nargs="+", default=[2, 0], choices=[0, 2])
    parser.add_argument("--verify", type=int, default=128, metavar="N", help="random query positions, all heads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="default: all that the machine has")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of which the fastest counts")
    parser.add_argument("--no-timing", action="store_true", help="leave the speed-ups out")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for order in options.order:
                print_table(options, pathlib.Path(folder), order)
    except CurveError as why:
        print(f"curve: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
