#!/usr/bin/env python3
"""Times attention of scheme routed beside the same formula written with PyTorch's matrix products: float32, one head, isotropic splats, by turns on this machine.

    .venv/bin/python tests/bench/compare_routed.py --splats 64 256 1024 --tokens 65536

PyTorch is optional (tests/bench/requirements.txt). The peer does what a careful author writes: affinities as exp of a product, -(|x|^2 - 2 x mu + |mu|^2) / 2 var,
blocks of tokens that stay in the cache (the best of --blocks counts), causal with the state carried from block to block and a masked product inside. It keeps no
logarithms: tokens far from every splat give it 0/0 where ours gives a mean. Ours is benchmark Routed/n:N/k:K/causal:C/isotropic:1/threads:T of hsa-bench.
ratio = torch / hsa: above 1, ours is faster.
"""

import argparse
import math
import sys

from compare_sdpa import BenchError, cpu_name, seconds_of, seconds_of_hsa

DIM = 64


def affinities(torch, tokens, center, variance):
    squares = (tokens * tokens).sum(1, keepdim=True) + (center * center).sum(1) - 2 * tokens @ center.T
    return torch.exp(squares * (-0.5 / variance))


def whole(torch, query, key, value, center, variance, block):
    """Every query receives what all keys have sent."""
    state, mass = torch.zeros(len(center), DIM), torch.zeros(len(center), 1)
    for k, v in zip(key.split(block), value.split(block)):
        sent = affinities(torch, k, center, variance)
        state += sent.T @ v
        mass += sent.sum(0)[:, None]
    outputs = []
    for q in query.split(block):
        weights = affinities(torch, q, center, variance)
        outputs.append(weights @ state / (weights @ mass))
    return torch.cat(outputs)


def prefixes(torch, query, key, value, center, variance, block):
    """Every query receives what the keys up to its own have sent."""
    state, mass = torch.zeros(len(center), DIM), torch.zeros(len(center), 1)
    outputs = []
    for q, k, v in zip(query.split(block), key.split(block), value.split(block)):
        weights, sent = affinities(torch, q, center, variance), affinities(torch, k, center, variance)
        pairs = (weights @ sent.T).tril()
        outputs.append((weights @ state + pairs @ v) / (weights @ mass + pairs.sum(1, keepdim=True)))
        state += sent.T @ v
        mass += sent.sum(0)[:, None]
    return torch.cat(outputs)


def check(torch):
    """The two forms against the kernel of every pair, in float64: a peer that computes something else is none."""
    torch.manual_seed(1)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    query, key, value, center = (torch.randn(n, DIM) for n in (50, 50, 50, 8))
    pairs = affinities(torch, query, center, DIM) @ affinities(torch, key, center, DIM).T
    for attend, kernel in ((whole, pairs), (prefixes, pairs.tril())):
        wanted = kernel @ value / kernel.sum(1, keepdim=True)
        error = (attend(torch, query, key, value, center, DIM, 16) - wanted).norm() / wanted.norm()
        if error > 1e-10:
            raise BenchError(f"{attend.__name__} has a relative error of {error:.1e} beside the kernel of every pair, wanted rounding only")
    torch.set_default_dtype(default)


def measure(torch, options, splats, causal):
    """Seconds of ours and of the best block of theirs; the best of all rounds."""
    torch.manual_seed(7)
    query, key, value = (torch.randn(options.tokens, DIM) for _ in range(3))
    center = torch.randn(splats, DIM)
    name = f"Routed/n:{options.tokens}/k:{splats}/causal:{int(causal)}/isotropic:1/threads:{options.threads}"
    attend = prefixes if causal else whole
    ours, theirs = math.inf, dict.fromkeys(options.blocks, math.inf)
    for _ in range(options.rounds):
        ours = min(ours, seconds_of_hsa(options.bench, name, options.min_time))
        for block in options.blocks:
            with torch.no_grad():
                call = lambda: attend(torch, query, key, value, center, DIM, block)
                theirs[block] = min(theirs[block], seconds_of(call, options.min_time))
    block = min(theirs, key=theirs.get)
    return ours, theirs[block], block


def main():
    parser = argparse.ArgumentParser(description="Scheme routed beside the same formula in PyTorch.")
    parser.add_argument("--bench", default="build/release/bin/hsa-bench", metavar="FILE", help="hsa-bench")
    parser.add_argument("--splats", type=int, nargs="+", default=[64, 256, 1024], metavar="K", help="sizes that hsa-bench has")
    parser.add_argument("--tokens", type=int, default=65536, metavar="N", help="65536 or 1048576")
    parser.add_argument("--blocks", type=int, nargs="+", default=[64, 256, 1024, 4096], metavar="N", help="tokens of a block of the peer's")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of both, 1 or 2")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="turns of each side per size")
    parser.add_argument("--min-time", type=float, default=0.3, metavar="SECONDS", help="of one turn")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("compare_routed: PyTorch is not in this Python; run make compare, which puts it in .venv", file=sys.stderr)
        return 1
    torch.set_num_threads(options.threads)
    print(f"{cpu_name()}, torch {torch.__version__}, {options.threads} threads, n = {options.tokens}, d = {DIM}; ratio = torch / hsa")
    print(f"{'k':>5s} {'causal':>6s} {'hsa ms':>10s} {'torch ms':>10s} {'block':>6s} {'ratio':>6s}")
    try:
        check(torch)
        for splats in options.splats:
            for causal in (False, True):
                ours, theirs, block = measure(torch, options, splats, causal)
                print(f"{splats:5d} {'yes' if causal else 'no':>6s} {ours * 1e3:10.1f} {theirs * 1e3:10.1f} {block:6d} {theirs / ours:6.2f}", flush=True)
    except BenchError as error:
        print(f"compare_routed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
