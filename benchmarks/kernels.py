"""Chapter 24's kernels in C on SmolLM2's weights: what the use of all lanes brings, and
what the order of the words in memory.

    products     milliseconds for all of a token's products of a matrix with a vector

    OMP_NUM_THREADS=1 python benchmarks/kernels.py --folder runs

"rows" and "columns" read the words in the order of the file, weight by weight and in
all lanes; "lanes" and "vnni" read them with sixteen rows side by side. Each pass goes
through the whole model, so that the weights come from memory. It is timed in pieces,
and the time of a piece is its shortest in several passes, because other programs only
make it longer.
"""

import ctypes
import time
from functools import cache

import numpy as np
import torch

from genai_tutorial.efficiency import NativeBuildError
from genai_tutorial.efficiency.native.build import (
    GROUP,
    load_native,
    pack,
    pack_layers,
)
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.runtime import keep_record, run_parts

KERNELS = {
    "rows": ("rows", "native"),
    "columns, avx2": ("columns", "avx2"),
    "lanes, avx2": ("lanes", "avx2"),
    "columns": ("columns", "native"),
    "lanes": ("lanes", "native"),
    "vnni": ("vnni", "native"),
}
WEIGHTS = 900_000  # in a piece: half a millisecond for the slowest kernel


@cache
def weights() -> dict[bool, tuple[np.ndarray, np.ndarray]]:
    """Return the words of the blocks and of the output layer, in both orders."""
    model, _ = load_smollm2()
    head = model.token_embedding.weight.detach()
    return {
        side_by_side: (pack_layers(model, side_by_side), pack(head, 8, side_by_side))
        for side_by_side in (False, True)
    }


@cache
def pieces() -> list[tuple[str, int, int]]:
    """Return name of the product, rows and columns of each piece of a matrix."""
    config = load_smollm2()[0].config
    heads, width = config.attention, config.width
    projected = (heads.heads + 2 * heads.key_value_heads) * config.head_width
    block = [
        ("matvec4", projected, width),
        ("matvec4", width, width),
        ("matvec4", 2 * config.hidden_width, width),
        ("matvec4", width, config.hidden_width),
    ]
    found = []
    for name, rows, columns in [
        *(block * config.layers),
        ("matvec8", config.vocab_size, width),
    ]:
        assert rows % GROUP == 0
        most = WEIGHTS // columns // GROUP * GROUP
        found += [
            (name, min(most, rows - start), columns) for start in range(0, rows, most)
        ]
    return found


def multiply_all(
    library: ctypes.CDLL, side_by_side: bool, x: torch.Tensor
) -> tuple[list[float], torch.Tensor]:
    """Return the seconds of each piece, and all products behind one another."""
    blocks, head = weights()[side_by_side]
    results = torch.zeros(sum(rows for _, rows, _ in pieces()))
    addresses = {"matvec4": blocks.ctypes.data, "matvec8": head.ctypes.data}
    seconds, place = [], 0
    for name, rows, columns in pieces():
        product = getattr(library, name)
        product.restype = ctypes.c_void_p
        arguments = (
            ctypes.c_void_p(addresses[name]),
            ctypes.c_int(rows),
            ctypes.c_int(columns),
            ctypes.c_void_p(x.data_ptr()),
            ctypes.c_void_p(results[place:].data_ptr()),
            ctypes.c_int(1),
        )
        start = time.perf_counter()
        addresses[name] = product(*arguments)
        seconds.append(time.perf_counter() - start)
        place += rows
    return seconds, results


def products(seed: int, small: bool) -> dict:
    """Return the milliseconds of each kernel, and how far its results are from those of
    the first.
    """
    x = torch.randn(1 << 12, generator=torch.Generator().manual_seed(seed))
    libraries = {}
    for name, (kernel, instructions) in KERNELS.items():
        try:
            libraries[name] = load_native(kernel, instructions)
        except NativeBuildError as error:
            print(f"{name}: left out, {error}")
    shortest: dict[str, np.ndarray] = {}
    results = {}
    for _ in range(2 if small else 100):
        for name, library in libraries.items():
            side_by_side = KERNELS[name][0] in ("lanes", "vnni")
            seconds, results[name] = multiply_all(library, side_by_side, x)
            times = np.array(seconds)
            shortest[name] = np.minimum(shortest.get(name, times), times)
    largest = results["rows"].abs().max()
    return {
        "milliseconds": {
            n: round(1e3 * float(t.sum()), 3) for n, t in shortest.items()
        },
        "largest_difference": {
            name: float(f"{((found - results['rows']).abs().max() / largest):.2g}")
            for name, found in results.items()
        },
        "megabytes": round(sum(part.nbytes for part in weights()[False]) / 1e6, 1),
    }


PARTS = {"products": products}


def main() -> None:
    whole = run_parts("kernels", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("kernels", whole)


if __name__ == "__main__":
    main()
