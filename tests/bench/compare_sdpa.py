#!/usr/bin/env python3
"""Times HSA's exact attention beside PyTorch's scaled_dot_product_attention and other peers: float32 (or bfloat16: --dtype bf16), one head, one
thread, on this machine, in one run.

    make compare          # installs PyTorch in .venv, builds hsa-bench, runs this script

For each size all take turns (ours, torch, ours, torch, ...), so that they see the same state of a shared machine; the best round of each
counts. A round repeats the call for at least --min-time seconds and takes the mean. Ours is benchmark ExactRun/d:D/n:N/causal:C/threads:1 of
hsa-bench (ExactRunBf16): tensors in memory, plan loaded, everything that hsa::Run does. A peer (attention_peers.py) is its call with tensors
[1, 1, N, D] in memory. ratio = peer / ours: above 1, ours is faster.

    .venv/bin/python tests/bench/compare_sdpa.py --peers torch unfused openvino onnxruntime    # those that are installed; the others are named
"""

import argparse
import datetime
import json
import math
import platform
import subprocess
import sys
import time

from attention_peers import PEERS, Missing, Unable


class BenchError(Exception):
    """Why there is no number, in one line."""


def bench_name(dtype, dim, tokens, causal):
    return f"ExactRun{'Bf16' if dtype == 'bf16' else ''}/d:{dim}/n:{tokens}/causal:{int(causal)}/threads:1"


def seconds_of_hsa(bench, name, min_time):
    """Mean wall-clock seconds of one run of a benchmark of hsa-bench."""
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


def seconds_of(attend, min_time):
    """Mean wall-clock seconds of one call."""
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


def prepare(peer, dtype, dim, tokens, causal):
    """The call, or None where the peer has none of that size or type, which is said."""
    try:
        return PEERS[peer].prepare(dtype, dim, tokens, causal)
    except Unable as error:
        print(f"{dim:4d} {tokens:6d} {'yes' if causal else 'no':>6s} {peer}: {error}", flush=True)
        return None


def measure(options, dim, tokens, causal):
    """A row for each peer of this size."""
    calls = {peer: prepare(peer, options.dtype, dim, tokens, causal) for peer in options.peers}
    calls = {peer: attend for peer, attend in calls.items() if attend}
    ours, theirs = math.inf, dict.fromkeys(calls, math.inf)
    for _ in range(options.rounds):
        ours = min(ours, seconds_of_hsa(options.bench, bench_name(options.dtype, dim, tokens, causal), options.min_time))
        for peer, attend in calls.items():
            theirs[peer] = min(theirs[peer], seconds_of(attend, options.min_time))
    flop = 4.0 * dim * visible_pairs(tokens, causal)
    for peer, seconds in theirs.items():
        yield {
            "d": dim,
            "n": tokens,
            "causal": causal,
            "peer": peer,
            "hsa_seconds": ours,
            "peer_seconds": seconds,
            "hsa_gflops": flop / ours / 1e9,
            "peer_gflops": flop / seconds / 1e9,
            "ratio": seconds / ours,
        }


def print_row(row):
    print(
        f"{row['d']:4d} {row['n']:6d} {'yes' if row['causal'] else 'no':>6s} {row['peer']:>11s} {row['hsa_seconds'] * 1e3:11.3f}"
        f" {row['peer_seconds'] * 1e3:11.3f} {row['hsa_gflops']:11.1f} {row['peer_gflops']:11.1f} {row['ratio']:7.2f}",
        flush=True,
    )


def print_means(rows):
    for peer in dict.fromkeys(row["peer"] for row in rows):
        own = [row for row in rows if row["peer"] == peer]
        mean, worst = math.exp(sum(math.log(row["ratio"]) for row in own) / len(own)), min(own, key=lambda row: row["ratio"])
        print(
            f"{peer}: geometric mean of the ratios {mean:.2f}, least {worst['ratio']:.2f} at d {worst['d']}, n {worst['n']},"
            f" causal {'yes' if worst['causal'] else 'no'}"
        )


def installed(peers):
    """Versions of those peers that are; the others are named."""
    versions = {}
    for peer in peers:
        try:
            versions[peer] = PEERS[peer].version()
        except Missing as error:
            print(f"{peer}: left out, {error}")
    return versions


def main():
    parser = argparse.ArgumentParser(description="HSA's exact attention beside that of others, one thread.")
    parser.add_argument("--bench", default="build/release/bin/hsa-bench", metavar="FILE", help="hsa-bench")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="of inputs, products and outputs")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=["torch"], metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--dims", type=int, nargs="+", default=[64, 128], metavar="D")
    parser.add_argument("--tokens", type=int, nargs="+", default=[512 << i for i in range(7)], metavar="N")
    parser.add_argument("--causal", choices=["yes", "no", "both"], default="both")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="turns of each side per size")
    parser.add_argument("--min-time", type=float, default=0.5, metavar="SECONDS", help="of one turn")
    parser.add_argument("--json", metavar="FILE", help="write the numbers here")
    options = parser.parse_args()
    versions = installed(options.peers)
    if not versions:
        print("compare_sdpa: none of the peers is in this Python, wanted those of tests/bench/requirements.txt; run make compare", file=sys.stderr)
        return 1
    options.peers = list(versions)
    causals = {"yes": [True], "no": [False], "both": [True, False]}[options.causal]

    print(f"{cpu_name()}, {', '.join(dict.fromkeys(versions.values()))}, 1 thread, {options.dtype}, 1 head; ratio = peer / hsa")
    print(f"{'d':>4s} {'n':>6s} {'causal':>6s} {'peer':>11s} {'hsa ms':>11s} {'peer ms':>11s} {'hsa GF/s':>11s} {'peer GF/s':>11s} {'ratio':>7s}")
    rows = []
    try:
        for dim in options.dims:
            for causal in causals:
                for tokens in options.tokens:
                    for row in measure(options, dim, tokens, causal):
                        rows.append(row)
                        print_row(row)
    except BenchError as error:
        print(f"compare_sdpa: {error}", file=sys.stderr)
        return 1
    print_means(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
            json.dump({"schema": 2, "date": when, "cpu": cpu_name(), "peers": versions, "threads": 1, "rows": rows}, file, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
