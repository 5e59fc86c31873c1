"""A linear probe for numbers: how much of a number's value do its tokens give away?"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def predict_values(
    known: Sequence[Sequence[int]],
    values: Sequence[float | int],
    unseen: Sequence[Sequence[int]],
) -> Float[Tensor, "unseen"]:
    """Fit numbers with a sum over their tokens, and return predictions for others.

    Each token gets one weight for each place at which it occurs in `known`, chosen by
    least squares. A token at a place where it was never seen adds nothing.

    Args:
        known: The tokens of each number with a known value.
        unseen: The tokens of the numbers to predict.

    Raises:
        ValueError: If there is not one value for each row of tokens.

    >>> known = [[1, 0], [1, 3], [2, 0], [2, 5]]  # the digits are the tokens
    >>> predict_values(known, [10, 13, 20, 25], [[1, 5], [2, 3]])
    tensor([15.0000, 23.0000], dtype=torch.float64)
    """
    if len(known) != len(values) or not known:
        raise ValueError(
            "known and values must be equally long and not empty, got "
            f"{len(known)} rows of tokens and {len(values)} values."
        )
    columns: dict[tuple[int, int], int] = {}
    for row in known:
        for place_and_token in enumerate(row):
            columns.setdefault(place_and_token, len(columns))
    # The normal equations: there are many more numbers than kinds of tokens.
    x, y = _one_hot(known, columns), torch.tensor(values, dtype=torch.float64)
    weights = torch.linalg.pinv(x.T @ x, rtol=1e-10, hermitian=True) @ (x.T @ y)
    return _one_hot(unseen, columns) @ weights


def _one_hot(
    rows: Sequence[Sequence[int]], columns: dict[tuple[int, int], int]
) -> Float[Tensor, "row column"]:
    table = torch.zeros(len(rows), len(columns), dtype=torch.float64)
    for i, row in enumerate(rows):
        found = [columns[pair] for pair in enumerate(row) if pair in columns]
        table[i, found] = 1
    return table
