"""The roofline model: how fast a machine can generate at best, from its memory
bandwidth and its peak arithmetic alone.

A machine reads `bandwidth` bytes and computes `flops` operations per second, both at
the same time, so the slower of the two sets the pace. A model that generates for one
user reads every weight for each token and computes two operations with it: it waits for
the memory. Several users share the reading, until the arithmetic becomes the limit.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from genai_tutorial.transformer import DecoderConfig

from .counting import count
from .model_sizes import ModelShape


@dataclass(frozen=True)
class Machine:
    """The two figures of a machine that the roofline needs.

    Attributes:
        name: The machine, and the precision of its arithmetic.
        bandwidth: Bytes read from memory per second.
        flops: Operations per second, in that precision.

    Raises:
        ValueError: If a figure is not positive.

    Source: Williams et al., Roofline: An Insightful Visual Performance Model for
        Multicore Architectures, https://doi.org/10.1145/1498765.1498785

    >>> round(MACHINES["H100 SXM"].ridge)
    295
    """

    name: str
    bandwidth: float | int
    flops: float | int

    def __post_init__(self):
        if not (self.bandwidth > 0 and self.flops > 0):
            raise ValueError(
                "bandwidth (bytes/s) and flops (operations/s) must be positive; got "
                f"{self.bandwidth} and {self.flops}."
            )

    @property
    def ridge(self) -> float:
        """The arithmetic intensity in FLOP per byte from which on the arithmetic is the
        limit.
        """
        return self.flops / self.bandwidth

    def attainable_flops(self, intensity: float | int) -> float:
        """Return the highest FLOP per second at this arithmetic intensity: the roof."""
        return float(min(self.flops, self.bandwidth * intensity))


MACHINES = {
    # NVIDIA, H100 data sheet: 3.35 TB/s, 1,979 TFLOPS in bfloat16 with 2:4 sparsity,
    # half of that for dense matrices. https://www.nvidia.com/en-us/data-center/h100/
    "H100 SXM": Machine("NVIDIA H100 SXM, bfloat16", 3.35e12, 989.5e12),
    # 120 GB/s: https://www.apple.com/newsroom/2024/05/apple-introduces-m4-chip/; 2.9
    # TFLOPS, as measured on its GPU, because Apple publishes none:
    # https://arxiv.org/abs/2502.05317
    "laptop": Machine("laptop with an Apple M4, float32", 120e9, 2.9e12),
    # Snapdragon 8 Gen 3: LPDDR5X at 4,800 MHz, so 9,600 MT/s on 64 bits; its NPU is
    # reported with 45 trillion operations per second in int8:
    # https://runlocalai.co/hardware/snapdragon-8-gen-3
    "phone": Machine("phone with a Snapdragon 8 Gen 3, int8", 76.8e9, 45e12),
}
"""Published figures; what a program reaches is lower."""


def bytes_per_token(
    model: ModelShape | DecoderConfig,
    bits: float | int = 16,
    context: int = 1,
    batch_size: int = 1,
    cache_bits: float | int = 16,
) -> float:
    """Return the bytes read from memory per generated token.

    A step reads every weight that its tokens multiply, once for the whole batch, and
    each row's own keys and values. Activations stay in the CPU's or GPU's caches. In a
    mixture of experts, rows may choose different experts; the count assumes that no two
    choose the same one until all are in use.

    Args:
        model: A model's shape, or the settings of one of the book's decoders.
        bits: Bits per weight, scales included: 5 for llama.cpp's Q4_1.
        context: The number of positions in each row's KV cache.
        batch_size: The number of rows that share a step.
        cache_bits: Bits per cached value.

    Raises:
        ValueError: If `context` or `batch_size` is less than 1.

    >>> bytes_per_token(DecoderConfig.llama(), bits=16, context=8192)
    16083058688.0
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    counts = count(model)
    shape = counts.shape
    weights = 0.0
    for part in counts.parts:
        copies = 1.0
        if part.name == "experts":
            read = min(batch_size * shape.experts_per_token, shape.experts)
            chosen = shape.experts_per_token + shape.shared_experts
            copies = (read + shape.shared_experts) / chosen
        weights += part.multiplied * copies
    cached_values = counts.cache_bytes(context, bits=8)  # a byte each
    return weights * bits / 8 / batch_size + cached_values * cache_bits / 8


def flops_per_token(model: ModelShape | DecoderConfig, context: int = 1) -> int:
    """Return the FLOPs of one generated token that attends to `context` positions.

    Raises:
        ValueError: If `context` is less than 1.
    """
    counts = count(model)
    return counts.flops_per_token + counts.attention_flops(context)


def arithmetic_intensity(
    model: ModelShape | DecoderConfig,
    bits: float | int = 16,
    context: int = 1,
    batch_size: int = 1,
) -> float:
    """Return the FLOPs per byte read, while generating; see `bytes_per_token`.

    Weights give 2 FLOPs x batch size per weight; keys and values are read for one row
    alone, so a long context keeps the intensity low however large the batch.

    >>> round(arithmetic_intensity(DecoderConfig.llama(), bits=16), 2)  # 2 per 2 bytes
    1.0
    """
    read = bytes_per_token(model, bits, context, batch_size)
    return flops_per_token(model, context) / read


def attainable_rate(
    machine: Machine,
    model: ModelShape | DecoderConfig,
    bits: float | int = 16,
    context: int = 1,
    batch_size: int = 1,
) -> float:
    """Return the most tokens per second that a machine can generate, all rows together;
    the arguments are as for `bytes_per_token`.

    >>> llama = DecoderConfig.llama()  # 8 billion weights
    >>> round(attainable_rate(MACHINES["H100 SXM"], llama))
    223
    >>> round(attainable_rate(MACHINES["H100 SXM"], llama, batch_size=64))
    14276
    """
    intensity = arithmetic_intensity(model, bits, context, batch_size)
    return machine.attainable_flops(intensity) / flops_per_token(model, context)


def memory_bandwidth(repeats: int = 5) -> float:
    """Measure how many bytes per second this CPU reads from memory, with all of
    torch's threads.

    It sums 512 MB, more than every CPU cache holds, and keeps the fastest of several
    runs, because anything else that runs makes a run slower and never faster.
    """
    numbers = torch.ones(2**27)  # four bytes each
    return numbers.nbytes / _shortest(numbers.sum, repeats)


def peak_flops() -> float:
    """Measure how many FLOPs per second this CPU computes in a product of two float32
    matrices of 1024 x 1024, with all of torch's threads.
    """
    left, right = torch.ones(2, 1024, 1024)
    return 2 * 1024**3 / _shortest(lambda: left @ right, 5)


def _shortest(run: Callable[[], object], repeats: int) -> float:
    """Return the seconds of the fastest run, after one that does not count."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
