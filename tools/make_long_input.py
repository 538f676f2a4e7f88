#!/usr/bin/env python3
"""Makes a long synthetic input from a capture of real queries, keys and values.

    .venv/bin/python tools/make_long_input.py --in examples/data/qkv_8k_prose_L22.safetensors --tokens 1048576 --out long.safetensors

The output is the capture, then as many perturbed repeats of it as the length asks for:

* A repeat leaves out the first 4 tokens of the capture: a real sequence has one attention sink, not one for each 8,192 tokens.
* Repeat r turns the plane of dimensions (i, i + D/2) of every query and key by an angle a[r, i] ~ N(0, 0.1 rad), the same for queries and keys
  and for all heads: scores inside a repeat do not change, scores between repeats do, as under a rotary embedding.
* Then every element x of q, k and v becomes x + 0.05 s g, with g ~ N(0, 1) and s the standard deviation of x's dimension in its head, in
  float32, and is rounded to the type of the capture (to nearest, ties to even). No two repeats are equal.

Repeat 0 is the capture itself, bit for bit. The same seed gives the same file, and a longer file starts with the tokens of a shorter one.
The header's metadata says that the file is synthetic: it is for speed, memory and scaling, not for claims about accuracy. One repeat of one head
is in memory at a time.
"""

import argparse
import json
import os
import struct
import sys

import numpy as np

SINK_TOKENS = 4  # left out of every repeat but the first
ANGLE_STD = 0.1  # radians
NOISE = 0.05  # in standard deviations of the dimension
TENSORS = ("q", "k", "v")
NUMPY_TYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


class InputError(Exception):
    """What is wrong with the input, in one line."""


def read_capture(path):
    """Header entries of q, k, v, their arrays [heads, tokens, dim] mapped from `path` (bfloat16 as uint16), and the metadata."""
    try:
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            if size > os.path.getsize(path) - 8:
                raise InputError(f"{path}: header of {size} bytes ends behind the file; is this a safetensors file?")
            header = json.loads(file.read(size))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (struct.error, ValueError) as error:
        raise InputError(f"{path}: unreadable safetensors header ({error})") from error
    arrays = {}
    for name in TENSORS:
        if name not in header:
            raise InputError(f"{path}: no tensor '{name}', wanted q, k and v; it has {sorted(set(header) - {'__metadata__'})}")
        entry = header[name]
        if entry["dtype"] not in NUMPY_TYPES or len(entry["shape"]) != 3:
            raise InputError(f"{path}: tensor '{name}' is {entry['dtype']} {entry['shape']}, wanted F32, F16 or BF16 [heads, tokens, dim]")
        arrays[name] = np.memmap(path, NUMPY_TYPES[entry["dtype"]], "r", 8 + size + entry["data_offsets"][0], tuple(entry["shape"]))
    tokens = {name: arrays[name].shape[1] for name in TENSORS}
    if len(set(tokens.values())) != 1 or tokens["q"] <= SINK_TOKENS:
        raise InputError(f"{path}: tokens are {tokens}, wanted the same number for q, k and v, above {SINK_TOKENS}")
    if arrays["q"].shape[2] != arrays["k"].shape[2]:
        raise InputError(f"{path}: q has dimension {arrays['q'].shape[2]}, k {arrays['k'].shape[2]}, wanted the same")
    return {name: header[name] for name in TENSORS}, arrays, header.get("__metadata__", {})


def to_f32(array, dtype):
    if dtype == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)


def from_f32(array, dtype):
    if dtype == "BF16":
        bits = np.ascontiguousarray(array).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return array.astype(NUMPY_TYPES[dtype])


def turn_planes(rows, angles):
    """Rows [tokens, dim] with each plane (i, i + dim/2) turned by angles[i]; the last dimension of an odd dim stays."""
    half = rows.shape[1] // 2
    cosine, sine = np.cos(angles), np.sin(angles)
    first, second = rows[:, :half].copy(), rows[:, half : 2 * half].copy()
    rows[:, :half] = first * cosine - second * sine
    rows[:, half : 2 * half] = first * sine + second * cosine
    return rows


def perturbed(rows, name, head, repeat, seed):
    """Repeat `repeat` of one head's rows [tokens, dim] in float32."""
    noise_std = np.float32(NOISE) * rows.std(axis=0)
    if name != "v":
        angles = np.random.default_rng([seed, 0, repeat]).normal(0, ANGLE_STD, rows.shape[1] // 2).astype(np.float32)
        rows = turn_planes(rows, angles)
    generator = np.random.default_rng([seed, 1 + TENSORS.index(name), repeat, head])
    return rows + noise_std * generator.standard_normal(rows.shape, dtype=np.float32)


def write_head(out, rows, dtype, name, head, tokens, seed):
    """One head's `tokens` rows, repeat after repeat. `rows` is the capture's [tokens, dim], in its own type."""
    first = rows[:tokens]
    out.write(np.ascontiguousarray(first).tobytes())
    left, repeat = tokens - len(first), 1
    body = to_f32(rows[SINK_TOKENS:], dtype)
    while left > 0:
        chunk = from_f32(perturbed(body.copy(), name, head, repeat, seed), dtype)[:left]
        out.write(chunk.tobytes())
        left -= len(chunk)
        repeat += 1


def header_bytes(entries, tokens, metadata):
    header, offset = {"__metadata__": metadata}, 0
    for name in TENSORS:
        heads, _, dim = entries[name]["shape"]
        size = heads * tokens * dim * NUMPY_TYPES[entries[name]["dtype"]].itemsize
        header[name] = {"dtype": entries[name]["dtype"], "shape": [heads, tokens, dim], "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def make_long_input(source, tokens, target, seed):
    entries, arrays, metadata = read_capture(source)
    metadata = dict(metadata)
    metadata.update(
        synthetic="true",
        made_by=f"tools/make_long_input.py --tokens {tokens} --seed {seed}",
        made_from=os.path.basename(source),
        perturbation=f"repeats turned by N(0, {ANGLE_STD}) rad in planes (i, i + D/2) of q and k, noise {NOISE} of each dimension's standard deviation",
        tokens=str(tokens),
        query_positions=f"0..{tokens - 1}",
    )
    unfinished = f"{target}.unfinished"
    try:
        with open(unfinished, "wb") as out:
            out.write(header_bytes(entries, tokens, metadata))
            for name in TENSORS:
                for head, rows in enumerate(arrays[name]):
                    write_head(out, rows, entries[name]["dtype"], name, head, tokens, seed)
        os.replace(unfinished, target)
    except BaseException as error:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        if isinstance(error, OSError):
            raise InputError(f"{target}: {error.strerror}") from error
        raise


def main():
    parser = argparse.ArgumentParser(description="Makes a long synthetic input from a capture of q, k and v.")
    parser.add_argument("--in", dest="source", required=True, metavar="FILE", help="safetensors file with q, k and v [heads, tokens, dim]")
    parser.add_argument("--tokens", type=int, required=True, metavar="N", help="length of the output, at least 1")
    parser.add_argument("--out", dest="target", required=True, metavar="FILE", help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all perturbations, 0 unless told")
    options = parser.parse_args()
    if options.tokens < 1 or options.seed < 0:
        parser.error(f"--tokens {options.tokens} --seed {options.seed}, wanted tokens of at least 1 and a seed of at least 0")
    try:
        make_long_input(options.source, options.tokens, options.target, options.seed)
    except InputError as error:
        print(f"make_long_input: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
