"""Puzzles for a left-to-right model: it reads all cells of the puzzle, and then writes
the cells of the solution in reading order.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.diffusion import (
    mask_counts,
    mask_tokens,
    token_log_probabilities,
)
from genai_tutorial.generation import draw
from genai_tutorial.transformer import AttentionContext, DecoderLM

from .squares import OPEN


def left_to_right_loss(
    model: DecoderLM,
    squares: Int[Tensor, "square cell"],
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of the open cells of random puzzles, in nats.

    The puzzles are those of `masked_loss`, and each weighs the same.
    """
    rows, cells = squares.shape
    counts = mask_counts(rows, cells, generator)
    puzzles = mask_tokens(squares, counts, OPEN, generator)
    logits = model(torch.cat([puzzles, squares[:, :-1]], dim=1))[:, cells - 1 :]
    losses = functional.cross_entropy(logits.transpose(1, 2), squares, reduction="none")
    is_open = puzzles == OPEN
    return ((losses * is_open).sum(dim=1) / is_open.sum(dim=1)).mean()


@torch.no_grad()
def solve_left_to_right(
    model: DecoderLM,
    puzzles: Int[Tensor, "puzzle cell"],
    generator: torch.Generator | None = None,
) -> Int[Tensor, "puzzle cell"]:
    """Write the solutions, cell after cell; cells that are given are copied.

    Args:
        generator: Samples the numbers; None takes the most probable ones.
    """
    rows, cells = puzzles.shape
    context = AttentionContext.cached(model.make_cache(rows, 2 * cells))
    logits, written = model(puzzles, context)[:, -1:], []
    for given in puzzles.unbind(1):
        log_p = token_log_probabilities(logits, OPEN)[:, 0]
        guess = log_p.argmax(dim=-1)
        if generator is not None:
            guess = draw(log_p.exp(), generator).to(puzzles.device)
        written.append(torch.where(given == OPEN, guess, given))
        if len(written) < cells:
            logits = model(written[-1][:, None], context)
    return torch.stack(written, dim=1)
