"""Baselines for models of four voices: count-based models of each voice on its own."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data import REST

from .chorale_codes import CODES, decode_cells, encode_cells
from .sounding import SILENT, sounding


def frequency_losses(
    train: Int[Tensor, "n voice step"], held_out: Int[Tensor, "m voice length"]
) -> Float[Tensor, "m voice"]:
    """Return the cross-entropy in nats per step of a unigram model: the frequency of
    each code of a voice in the training windows.
    """
    context = torch.zeros_like
    return _losses(train, context(train), held_out, context(held_out))


def last_pitch_losses(
    train: Int[Tensor, "n voice step"], held_out: Int[Tensor, "m voice length"]
) -> Float[Tensor, "m voice"]:
    """Return the cross-entropy in nats per step of a bigram model: the frequency of
    each code after the voice's last pitch.
    """
    return _losses(train, _last_pitches(train), held_out, _last_pitches(held_out))


def _last_pitches(codes: Int[Tensor, "n voice step"]) -> Int[Tensor, "n voice step"]:
    pitches = sounding(decode_cells(codes))
    before = encode_cells(pitches.masked_fill(pitches == SILENT, REST)).roll(1, -1)
    before[..., 0] = CODES  # nothing yet
    return before


def _losses(
    train: Int[Tensor, "n voice step"],
    train_context: Int[Tensor, "n voice step"],
    held_out: Int[Tensor, "m voice length"],
    context: Int[Tensor, "m voice length"],
) -> Float[Tensor, "m voice"]:
    losses = []
    for voice in range(train.shape[1]):
        pairs = train_context[:, voice] * CODES + train[:, voice]
        counts = pairs.flatten().bincount(minlength=(CODES + 1) * CODES)
        table = counts.view(CODES + 1, CODES) + 0.1  # nothing is impossible
        log_probabilities = (table / table.sum(dim=1, keepdim=True)).log()
        losses.append(-log_probabilities[context[:, voice], held_out[:, voice]])
    return torch.stack(losses, dim=1).mean(dim=-1)
