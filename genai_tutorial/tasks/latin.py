"""Latin squares: puzzles whose solutions can all be counted.

First all squares, puzzles with some cells given, two solvers, and a model that knows
the truth because it counts; then the loss and the decoding of a model that reads the
puzzle and writes the cells in reading order. A square of order n is a row of n * n
tokens from 1 to n; 0 stands for an open cell.
"""

from functools import cache
from itertools import permutations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import one_hot

from genai_tutorial.data import Source
from genai_tutorial.diffusion import mask_counts, mask_tokens, token_log_probabilities
from genai_tutorial.generation import draw
from genai_tutorial.tasks import own_source
from genai_tutorial.transformer import AttentionContext, DecoderLM

OPEN = 0
"""The token of an open cell."""

ORDER = 5
"""The order of the puzzles."""

_TRAINING, HELD_OUT = 40_000, 300
"""The number of squares to train on, and of others to test on."""

LATIN_SOURCE: Source = own_source(
    "Latin squares", "latin_split", "all 161,280 Latin squares of order 5", "counts"
)


@cache
def all_squares(order: int = ORDER) -> Int[Tensor, "square cell"]:
    """Return all Latin squares of an order, in which each row and each column holds
    each number once: 1, 2, 12, 576 and 161,280 for the orders 1 to 5.

    Raises:
        ValueError: If the order is not from 1 to 5; there are 812,851,200 of order 6.

    >>> all_squares(2)
    tensor([[1, 2, 2, 1],
            [2, 1, 1, 2]])
    """
    if not 1 <= order <= 5:
        raise ValueError(f"order must be from 1 to 5, got {order}.")
    rows = torch.tensor(list(permutations(range(order))))
    squares = rows[:1, None]  # those with the first row in order
    for _ in range(order - 1):
        clash = (squares[:, None] == rows[:, None]).any(dim=(2, 3))
        square, row = (~clash).nonzero(as_tuple=True)
        squares = torch.cat([squares[square], rows[row, None]], dim=1)
    return (rows[:, squares] + 1).flatten(0, 1).flatten(1)  # the numbers renamed


def latin_split() -> tuple[Int[Tensor, "square cell"], Int[Tensor, "held_out cell"]]:
    """Return 40,000 random squares of order 5 to train on, and 300 others."""
    squares = all_squares()
    order = torch.randperm(len(squares), generator=torch.Generator().manual_seed(0))
    return squares[order[:_TRAINING]], squares[order[_TRAINING : _TRAINING + HELD_OUT]]


def is_latin(squares: Int[Tensor, "square cell"]) -> Bool[Tensor, " square"]:
    """Return whether each row and each column of a square holds each number once.

    >>> is_latin(torch.tensor([[1, 2, 2, 1], [1, 2, 1, 2]]))
    tensor([ True, False])
    """
    order = _order(squares)
    grid, numbers = squares.view(-1, order, order), torch.arange(1, order + 1)
    numbers = numbers.to(squares.device)
    rows = (grid.sort(dim=2).values == numbers).all(dim=(1, 2))
    return rows & (grid.sort(dim=1).values == numbers[:, None]).all(dim=(1, 2))


def fill_single_candidates(
    puzzles: Int[Tensor, "puzzle cell"],
) -> Int[Tensor, "puzzle cell"]:
    """Solve as a beginner does: fill each cell that has only one candidate left, until
    there is none.
    """
    order = _order(puzzles)
    grid = puzzles.view(-1, order, order)
    while True:
        seen = one_hot(grid, order + 1)[..., 1:].bool()
        free = ~(seen.any(dim=2, keepdim=True) | seen.any(dim=1, keepdim=True))
        free &= (grid == OPEN)[..., None]
        single = free.sum(dim=-1) == 1
        if not single.any():
            return grid.flatten(1)
        grid = torch.where(single, free.float().argmax(dim=-1) + 1, grid)


def backtrack(puzzle: Int[Tensor, " cell"]) -> Int[Tensor, " cell"] | None:
    """Solve a puzzle by trying the numbers that fit, in the open cell with the fewest;
    None if it has no solution.
    """
    order, cells = _order(puzzle[None]), puzzle.tolist()

    def fitting(cell: int) -> set[int]:
        row, column = divmod(cell, order)
        seen = cells[row * order : (row + 1) * order] + cells[column::order]
        return set(range(1, order + 1)).difference(seen)

    def solve() -> bool:
        choices = [(len(fitting(i)), i) for i, n in enumerate(cells) if n == OPEN]
        if not choices:
            return True
        _, cell = min(choices)
        for number in fitting(cell):
            cells[cell] = number
            if solve():
                return True
            cells[cell] = OPEN
        return False

    return torch.tensor(cells, device=puzzle.device) if solve() else None


class CountingDenoiser:
    """A perfect masked model of the Latin squares of an order: it counts the squares
    that agree with the visible cells.

    Where no square agrees, it gives all numbers the same probability.
    """

    def __init__(self, order: int):
        self.squares = all_squares(order)
        self._marks = one_hot(self.squares, order + 1).flatten(1).double()

    def __call__(
        self, tokens: Int[Tensor, "batch cell"]
    ) -> Float[Tensor, "batch cell number"]:
        """Return the exact log-probabilities of each cell, over 0 to n."""
        seen, squares = tokens[:, None], self.squares.to(tokens.device)
        agree = ((seen == squares) | (seen == OPEN)).all(dim=2).double()
        counts = (agree @ self._marks.to(tokens.device)).view(*tokens.shape, -1)
        lost = agree.sum(dim=1) == 0
        counts[lost, :, 1:] = 1.0
        return (counts / counts.sum(dim=-1, keepdim=True)).log().float()


def _order(squares: Tensor) -> int:
    return round(squares.shape[1] ** 0.5)


def left_to_right_loss(
    model: DecoderLM, squares: Int[Tensor, "square cell"], generator: torch.Generator
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
