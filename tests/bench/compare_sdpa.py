#!/usr/bin/env python3
"""Times HSA's exact attention beside PyTorch's scaled_dot_product_attention: float32 (or bfloat16: --dtype bf16), one head, one thread, on this
machine, in one run.

    make compare          # installs PyTorch in .venv, builds hsa-bench, runs this script

For each size the two take turns (ours, torch, ours, torch, ...), so that both see the same state of a shared machine; the best round of each
counts. A round repeats the call for at least --min-time seconds and takes the mean. Ours is benchmark ExactRun/d:D/n:N/causal:C/threads:1 of
hsa-bench (ExactRunBf16): tensors in memory, plan loaded, everything that hsa::Run does. Torch is the call with tensors [1, 1, N, D] in memory.
ratio = torch / ours: above 1, ours is faster.
"""

import argparse
import datetime
import json
import math
import platform
import subprocess
import sys
import time


DTYPES = {"f32": "float32", "bf16": "bfloat16"}  # as HSA and as PyTorch spell them


class BenchError(Exception):
    """Why there is no number, in one line."""


def bench_name(dtype, dim, tokens, causal):
    return f"ExactRun{'Bf16' if dtype == 'bf16' else ''}/d:{dim}/n:{tokens}/causal:{int(causal)}/threads:1"


def seconds_of_hsa(bench, dtype, dim, tokens, causal, min_time):
    """Mean wall-clock seconds of one exact run of one head, from hsa-bench."""
    name = bench_name(dtype, dim, tokens, causal)
    command = [bench, f"--benchmark_filter=^{name}(/|$)", "--benchmark_format=json", f"--benchmark_min_time={min_time}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchError(f"{bench}: {error.strerror}; run make build") from error
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.strip()[-200:]}")
    try:
        rows = [row for row in json.loads(done.stdout)["benchmarks"] if row.get("run_type", "iteration") == "iteration"]
    except (ValueError, KeyError) as error:
        raise BenchError(f"{bench}: no benchmark named {name}, wanted one in its list (--benchmark_list_tests)") from error
    if len(rows) != 1:
        raise BenchError(f"{bench}: {len(rows)} benchmarks named {name}, wanted one")
    if rows[0].get("error_occurred"):
        raise BenchError(f"{name}: {rows[0].get('error_message')}")
    unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[rows[0]["time_unit"]]
    return rows[0]["real_time"] * unit


def seconds_of_torch(torch, dtype, dim, tokens, causal, min_time):
    """Mean wall-clock seconds of one call over [1, 1, tokens, dim]."""
    generator = torch.Generator().manual_seed(7)
    query, key, value = (torch.randn(1, 1, tokens, dim, generator=generator).to(getattr(torch, DTYPES[dtype])) for _ in range(3))

    def attend():
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=causal)

    with torch.inference_mode():
        attend()  # warm
        calls, start = 0, time.perf_counter()
        while True:
            attend()
            calls += 1
            elapsed = time.perf_counter() - start
            if elapsed >= min_time:
                return elapsed / calls


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def visible_pairs(tokens, causal):
    return tokens * (tokens + 1) // 2 if causal else tokens * tokens


def measure(torch, options, dim, tokens, causal):
    ours, theirs = math.inf, math.inf
    for _ in range(options.rounds):
        ours = min(ours, seconds_of_hsa(options.bench, options.dtype, dim, tokens, causal, options.min_time))
        theirs = min(theirs, seconds_of_torch(torch, options.dtype, dim, tokens, causal, options.min_time))
    flop = 4.0 * dim * visible_pairs(tokens, causal)
    return {
        "d": dim,
        "n": tokens,
        "causal": causal,
        "hsa_seconds": ours,
        "torch_seconds": theirs,
        "hsa_gflops": flop / ours / 1e9,
        "torch_gflops": flop / theirs / 1e9,
        "ratio": theirs / ours,
    }


def print_row(row):
    print(
        f"{row['d']:4d} {row['n']:6d} {'yes' if row['causal'] else 'no':>6s} {row['hsa_seconds'] * 1e3:11.3f} {row['torch_seconds'] * 1e3:11.3f}"
        f" {row['hsa_gflops']:11.1f} {row['torch_gflops']:11.1f} {row['ratio']:7.2f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description="HSA's exact attention beside PyTorch's, one thread.")
    parser.add_argument("--bench", default="build/release/bin/hsa-bench", metavar="FILE", help="hsa-bench")
    parser.add_argument("--dtype", choices=list(DTYPES), default="f32", help="of inputs, products and outputs")
    parser.add_argument("--dims", type=int, nargs="+", default=[64, 128], metavar="D")
    parser.add_argument("--tokens", type=int, nargs="+", default=[512 << i for i in range(7)], metavar="N")
    parser.add_argument("--causal", choices=["yes", "no", "both"], default="both")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="turns of each side per size")
    parser.add_argument("--min-time", type=float, default=0.5, metavar="SECONDS", help="of one turn")
    parser.add_argument("--json", metavar="FILE", help="write the numbers here")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("compare_sdpa: no PyTorch in this Python, wanted the version of tests/bench/requirements.txt; run make compare", file=sys.stderr)
        return 1
    torch.set_num_threads(1)
    causals = {"yes": [True], "no": [False], "both": [True, False]}[options.causal]

    print(f"{cpu_name()}, torch {torch.__version__}, 1 thread, {DTYPES[options.dtype]}, 1 head; ratio = torch / hsa")
    print(f"{'d':>4s} {'n':>6s} {'causal':>6s} {'hsa ms':>11s} {'torch ms':>11s} {'hsa GF/s':>11s} {'torch GF/s':>11s} {'ratio':>7s}")
    rows = []
    try:
        for dim in options.dims:
            for causal in causals:
                for tokens in options.tokens:
                    rows.append(measure(torch, options, dim, tokens, causal))
                    print_row(rows[-1])
    except BenchError as error:
        print(f"compare_sdpa: {error}", file=sys.stderr)
        return 1
    worst = min(rows, key=lambda row: row["ratio"])
    mean = math.exp(sum(math.log(row["ratio"]) for row in rows) / len(rows))
    print(f"ratio: geometric mean {mean:.2f}, least {worst['ratio']:.2f} at d {worst['d']}, n {worst['n']}, causal {'yes' if worst['causal'] else 'no'}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
            json.dump({"schema": 1, "date": when, "cpu": cpu_name(), "torch": torch.__version__, "threads": 1, "rows": rows}, file, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
