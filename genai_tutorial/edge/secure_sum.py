"""A sum of secrets: each pair of clients agrees on a random mask that one adds and the
other subtracts, so that the server learns the sum and no single update.

Integers modulo 2^32 make this exact: a masked number is uniformly distributed
whatever it hides, and the masks cancel to the last bit. Neither holds for floats.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

MODULUS = 2**32


def encode_update(
    update: Mapping[str, Tensor], scale: float | int
) -> Int[Tensor, "number"]:
    """Return an update as one row of whole numbers from 0 to 2^32 - 1; negative ones
    count backwards from 2^32.

    Args:
        scale: The number of steps per unit: 2^20 rounds to about a millionth.

    Raises:
        ValueError: If a number is too large for the scale, or not finite.

    >>> encode_update({"w": torch.tensor([0.5, -0.25])}, scale=4)
    tensor([         2, 4294967295])
    """
    numbers = torch.cat([value.double().flatten() for value in update.values()])
    scaled = (numbers * scale).round()
    if not (scaled.abs() < MODULUS / 2).all():  # also False for NaN
        raise ValueError(
            f"Numbers must be smaller than {MODULUS / 2 / scale:g} at scale {scale}, "
            f"got up to {float(numbers.abs().max()):g}: use a smaller scale."
        )
    return scaled.long() % MODULUS


def decode_update(
    row: Int[Tensor, "number"], scale: float | int, like: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the update, or the sum of updates, that a row of whole numbers stands for.

    Args:
        scale: The number of steps per unit.
        like: Parameters with the names and shapes to return.

    Raises:
        ValueError: If the row has another number of entries than `like`.
    """
    sizes = [value.numel() for value in like.values()]
    if len(row) != sum(sizes):
        raise ValueError(f"The row must have {sum(sizes)} numbers, got {len(row)}.")
    signed = (row + MODULUS // 2) % MODULUS - MODULUS // 2
    parts = (signed.double() / scale).split(sizes)
    return {
        name: part.view(value.shape).to(value.dtype)
        for (name, value), part in zip(like.items(), parts, strict=True)
    }


def mask_update(
    row: Int[Tensor, "number"], client: int, seeds: Int[Tensor, "client client"]
) -> Int[Tensor, "number"]:
    """Return a client's row with its masks: what the server receives.

    Args:
        seeds: The seed that each pair of clients shares, a symmetric matrix. Clients
            agree on it by a key exchange that the server cannot read.

    Raises:
        ValueError: If there is no such client, or the seeds are not symmetric.

    Source: Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine
        Learning, section 4.1, https://eprint.iacr.org/2017/281

    >>> rows, seeds = torch.tensor([[5], [7]]), torch.tensor([[0, 9], [9, 0]])
    >>> masked = torch.stack([mask_update(rows[n], n, seeds) for n in (0, 1)])
    >>> secure_sum(masked)
    tensor([12])
    """
    if not 0 <= client < len(seeds) or not torch.equal(seeds, seeds.T):
        raise ValueError(
            f"seeds must be symmetric, with a row for client {client}; got "
            f"{len(seeds)} rows."
        )
    for other in range(len(seeds)):
        if other == client:
            continue
        # NumPy's generator is not cryptographic; a real client needs one that is.
        generator = np.random.default_rng(int(seeds[client, other]))
        mask = torch.from_numpy(generator.integers(MODULUS, size=len(row)))
        row = row + (1 if client < other else -1) * mask.to(row.device)
    return row % MODULUS


def secure_sum(masked: Int[Tensor, "client number"]) -> Int[Tensor, "number"]:
    """Return the sum of all clients' numbers modulo 2^32, in which the masks cancel."""
    return masked.sum(dim=0) % MODULUS
