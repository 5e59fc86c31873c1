"""Associations of words with two groups, measured by their vectors: the Word Embedding
Association Test (WEAT).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.interpretability import WordVectors

_TOLERANCE = 1e-9
"""Statistics that differ by less are equal: the same sum in another order."""


@dataclass(frozen=True)
class AssociationTest:
    """The result of a WEAT.

    Attributes:
        effect: The difference of the two target groups' mean associations, in standard
            deviations of all targets' associations; from -2 to 2 for groups of equal
            size. It does not say how large the associations are: those of a
            debiased text, near 0, are divided by their own small spread.
        difference: The same difference in units of the cosine.
        p_value: The probability of a difference at least as large if the targets are
            split at random (one-sided).
        splits: The number of splits that were compared.
        exact: True if these are all possible splits.
    """

    effect: float
    difference: float
    p_value: float
    splits: int
    exact: bool


def known_vectors(
    vectors: WordVectors, words: Sequence[str]
) -> Float[Tensor, "word dim"]:
    """Return the vectors of the words that have one, in their order.

    Raises:
        ValueError: If none of them has one.
    """
    known = [vectors[word] for word in words if word in vectors]
    if not known:
        raise ValueError(
            f"None of the words {', '.join(words)} has a vector: give other words, or "
            "vectors of more text."
        )
    return torch.stack(known)


def associations(
    targets: Float[Tensor, "target dim"],
    first: Float[Tensor, "first dim"],
    second: Float[Tensor, "second dim"],
) -> Float[Tensor, "target"]:
    """Return each target's association: its mean cosine with the first attributes minus
    its mean cosine with the second.

    Source: Caliskan et al., Semantics derived automatically from language corpora
        contain human-like biases, the function s(w, A, B),
        https://arxiv.org/abs/1608.07187

    >>> axes = torch.eye(2)
    >>> associations(torch.tensor([[3.0, 0.0], [1.0, 1.0]]), axes[:1], axes[1:])
    tensor([1., 0.])
    """
    targets, first, second = (
        functional.normalize(group.double(), dim=1)
        for group in (targets, first, second)
    )
    difference = first.mean(dim=0) - second.mean(dim=0)
    return (targets @ difference).float()


def association_test(
    first_targets: Float[Tensor, "first_target dim"],
    second_targets: Float[Tensor, "second_target dim"],
    first_attributes: Float[Tensor, "first_attribute dim"],
    second_attributes: Float[Tensor, "second_attribute dim"],
    *,
    max_splits: int = 100_000,
    seed: int = 0,
) -> AssociationTest:
    """Test whether the first targets are closer to the first attributes, and the second
    to the second, than after a random split of the targets.

    Args:
        first_targets: Vectors of words such as *career* and *office*.
        second_targets: Vectors of words such as *family* and *home*.
        first_attributes: Vectors of words such as *he* and *man*.
        second_attributes: Vectors of words such as *she* and *woman*.
        max_splits: With more possible splits than this, as many are drawn at random.

    Raises:
        ValueError: If there are fewer than two targets in a group, all targets have the
            same association, or `max_splits` is below 1.

    Source: Caliskan et al., Semantics derived automatically from language corpora
        contain human-like biases, effect size and permutation test,
        https://arxiv.org/abs/1608.07187
    """
    size = len(first_targets)
    if min(size, len(second_targets)) < 2:
        raise ValueError(
            "Each group of targets needs at least two words, got "
            f"{size} and {len(second_targets)}."
        )
    if max_splits < 1:
        raise ValueError(f"max_splits must be at least 1, got {max_splits}.")
    scores = associations(
        torch.cat((first_targets, second_targets)), first_attributes, second_attributes
    ).double()
    spread = scores.std()  # of the sample, as scipy and WEFE compute it
    if spread < _TOLERANCE:
        raise ValueError("All targets have the same association, so no split differs.")
    observed = scores[:size].mean() - scores[size:].mean()
    exact = comb(len(scores), size) <= max_splits
    if exact:
        rows = torch.tensor(list(combinations(range(len(scores)), size)))
    else:
        generator = torch.Generator().manual_seed(seed)
        order = torch.rand(max_splits, len(scores), generator=generator).argsort(dim=1)
        rows = order[:, :size]
    sums = scores[rows].sum(dim=1)
    differences = sums / size - (scores.sum() - sums) / (len(scores) - size)
    at_least = int((differences >= observed - _TOLERANCE).sum())
    # A random sample counts the observed split as one more, so that p is never 0.
    p_value = at_least / len(rows) if exact else (at_least + 1) / (len(rows) + 1)
    return AssociationTest(
        effect=float(observed / spread),
        difference=float(observed),
        p_value=p_value,
        splits=len(rows),
        exact=exact,
    )
