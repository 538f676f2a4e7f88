"""Attention of other libraries, one head, one thread, as calls that compare_sdpa.py can time: each peer is imported when it is asked for.

    attend = PEERS["unfused"].prepare(dtype="f32", dim=64, tokens=4096, causal=True)
    attend()                                 # query, key and value [1, 1, tokens, dim] are in memory; the output is thrown away

Raises Missing where a library is not installed, Unable where it has no such attention.
"""

import dataclasses
import importlib
import math
import typing

TORCH_TYPES = {"f32": "float32", "bf16": "bfloat16"}
MOST_SCORES_BYTES = 2 << 30  # of the unfused one, which writes them out


class Missing(Exception):
    """The library is not installed."""


class Unable(Exception):
    """The library has no such attention, or it does not fit."""


@dataclasses.dataclass
class Peer:
    words: str
    prepare: typing.Callable
    version: typing.Callable


def library(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Missing(f"{name} is not installed; pip install {name}") from error


def torch_tensors(dtype, dim, tokens):
    torch = library("torch")
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(7)
    return torch, [torch.randn(1, 1, tokens, dim, generator=generator).to(getattr(torch, TORCH_TYPES[dtype])) for _ in range(3)]


def in_inference_mode(torch, attend):
    def call():
        with torch.inference_mode():
            return attend()

    return call


def sdpa(dtype, dim, tokens, causal):
    torch, (query, key, value) = torch_tensors(dtype, dim, tokens)
    return in_inference_mode(torch, lambda: torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=causal))


def unfused(dtype, dim, tokens, causal):
    """softmax(q kᵀ / √d + mask) v, operation by operation: every score goes to memory."""
    torch, (query, key, value) = torch_tensors(dtype, dim, tokens)
    size = tokens * tokens * query.element_size()
    if size > MOST_SCORES_BYTES:
        raise Unable(f"scores of {tokens} tokens are {size >> 20} MiB, at most {MOST_SCORES_BYTES >> 20} are tried")
    mask = torch.full((tokens, tokens), -math.inf, dtype=query.dtype).triu(1) if causal else None

    def attend():
        scores = query @ key.transpose(-1, -2) * dim**-0.5
        if mask is not None:
            scores += mask
        return scores.softmax(-1) @ value

    return in_inference_mode(torch, attend)


def random_arrays(dim, tokens):
    numpy = library("numpy")
    generator = numpy.random.default_rng(7)
    return [generator.standard_normal((1, 1, tokens, dim), dtype=numpy.float32) for _ in range(3)]


def openvino(dtype, dim, tokens, causal):
    """Its ScaledDotProductAttention on the CPU plugin; inputs are f32, the products bf16 where that is asked for."""
    runtime = library("openvino")
    opset = importlib.import_module("openvino.opset13")
    inputs = [opset.parameter([1, 1, tokens, dim], dtype=runtime.Type.f32, name=name) for name in "qkv"]
    model = runtime.Model([opset.scaled_dot_product_attention(*inputs, causal=causal)], inputs, "attention")
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": dtype, "NUM_STREAMS": 1}
    request = runtime.Core().compile_model(model, "CPU", options).create_infer_request()
    arrays = random_arrays(dim, tokens)
    return lambda: request.infer(arrays, share_inputs=True, share_outputs=True)


def onnxruntime(dtype, dim, tokens, causal):
    """Its contrib operator MultiHeadAttention, which is f32 on CPUs."""
    if dtype != "f32":
        raise Unable(f"MultiHeadAttention of its CPU provider is f32, not {dtype}")
    runtime, onnx = library("onnxruntime"), library("onnx")
    shape = [1, tokens, dim]
    tensors = {name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "qkvo"}
    node = onnx.helper.make_node(
        "MultiHeadAttention", ["q", "k", "v"], ["o"], domain="com.microsoft", num_heads=1, unidirectional=int(causal), scale=dim**-0.5
    )
    graph = onnx.helper.make_graph([node], "attention", [tensors[name] for name in "qkv"], [tensors["o"]])
    versions = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, opset_imports=versions, ir_version=8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    arrays = dict(zip("qkv", (array.reshape(shape) for array in random_arrays(dim, tokens))))
    return lambda: session.run(None, arrays)


def version_of(name):
    return lambda: f"{name} {library(name).__version__.split('-')[0]}"


PEERS = {
    "torch": Peer("torch's scaled_dot_product_attention", sdpa, version_of("torch")),
    "unfused": Peer("torch, operation by operation", unfused, version_of("torch")),
    "openvino": Peer("OpenVINO's ScaledDotProductAttention", openvino, version_of("openvino")),
    "onnxruntime": Peer("ONNX Runtime's MultiHeadAttention", onnxruntime, version_of("onnxruntime")),
}
