#!/usr/bin/env python3
"""Writes a safetensors file for the tests of bad input; Python's standard library only.

    make_input.py OUT q:BF16:3x256x64 k:BF16:1x256x64 ... [--lie KIND]

Elements repeat one block of random numbers in [-1, 1), the same for the same names and types. --lie KIND makes a header that is not true:
    header_length   the header is longer than the file
    offsets         the last tensor ends behind the file
    overlap         the last tensor lies on the first
    shape           the shape of the first tensor has one row more than its bytes
    no_json         the header stops in the middle
"""

import argparse
import json
import math
import random
import struct

ELEMENT_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "F64": 8}
BLOCK = 65536  # elements that are drawn; more elements repeat them


def encode(number, dtype):
    if dtype == "BF16":
        return struct.pack("<f", number)[2:]
    return struct.pack({"F32": "<f", "F16": "<e", "F64": "<d", "I64": "<q"}[dtype], int(number * 100) if dtype == "I64" else number)


def elements(count, dtype, name):
    generator = random.Random(f"{name} {dtype}")
    block = b"".join(encode(generator.uniform(-1, 1), dtype) for _ in range(min(count, BLOCK)))
    return (block * (count // max(1, min(count, BLOCK)) + 1))[: count * ELEMENT_BYTES[dtype]]


def lie_in(header, names, kind):
    first, last = header[names[0]], header[names[-1]]
    if kind == "offsets":
        last["data_offsets"][1] += 4096
    elif kind == "overlap":
        size = last["data_offsets"][1] - last["data_offsets"][0]
        last["data_offsets"] = [0, size]
    elif kind == "shape":
        first["shape"][1] += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("tensors", nargs="+", metavar="NAME:TYPE:SHAPE")
    parser.add_argument("--lie", choices=["header_length", "offsets", "overlap", "shape", "no_json"])
    options = parser.parse_args()
    header, data = {}, b""
    for tensor in options.tensors:
        name, dtype, shape = tensor.split(":")
        sizes = [int(size) for size in shape.split("x")]
        body = elements(math.prod(sizes), dtype, name)
        header[name] = {"dtype": dtype, "shape": sizes, "data_offsets": [len(data), len(data) + len(body)]}
        data += body
    lie_in(header, list(header), options.lie)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    length = len(text)
    if options.lie == "header_length":
        length = len(text) + len(data) + 8
    elif options.lie == "no_json":
        text = text[: length // 2] + b" " * (length - length // 2)
    with open(options.out, "wb") as file:
        file.write(struct.pack("<Q", length) + text + data)


if __name__ == "__main__":
    main()
