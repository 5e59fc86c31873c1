"""Hard debiasing of word vectors, and a test of what it leaves."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.interpretability import WordVectors
from genai_tutorial.vae import k_means, nearest_codes, random_codebook


def project_out(
    vectors: Float[Tensor, "*n dim"], direction: Float[Tensor, "dim"]
) -> Float[Tensor, "*n dim"]:
    """Remove the component along a direction: the results are orthogonal to it, and
    doing it twice changes nothing.
    """
    unit = unit_direction(direction)
    return vectors - (vectors @ unit)[..., None] * unit


def unit_direction(direction: Float[Tensor, "dim"]) -> Float[Tensor, "dim"]:
    """Return the direction at length one."""
    length = direction.norm()
    if not (torch.isfinite(length) and length > 0):
        raise ValueError(
            f"A direction needs a finite length above 0, got {float(length)}."
        )
    return direction / length


def pair_direction(
    vectors: WordVectors, pairs: Sequence[tuple[str, str]]
) -> Float[Tensor, "dim"]:
    """Return the direction in which the two words of each pair differ most: the first
    principal component of the pairs, each around its own mean. It points from the
    second words to the first.

    Args:
        pairs: Words such as *he* and *she*; pairs without both vectors are left out.

    Raises:
        ValueError: If no pair has both vectors.

    Source: Bolukbasi et al., Man is to Computer Programmer as Woman is to Homemaker?,
        section 5.1, https://arxiv.org/abs/1607.06520
    """
    known = _known_pairs(vectors, pairs)
    halves = torch.stack([(vectors[a] - vectors[b]) / 2 for a, b in known])
    # Around its mean, a pair is its half difference with both signs.
    direction = torch.linalg.svd(halves.double()).Vh[0].float()
    return direction * torch.sign(direction @ halves.mean(dim=0))


def hard_debias(
    vectors: WordVectors,
    pairs: Sequence[tuple[str, str]],
    keep: Iterable[str] = (),
) -> WordVectors:
    """Remove the direction of the pairs from all other words, and make the two words of
    each pair equally distant from those.

    Args:
        pairs: The pairs that define the direction; see `pair_direction`.
        keep: Further words that keep their vectors, such as *father*, whose meaning
            contains the direction.

    Raises:
        ValueError: If no pair has both vectors.

    Source: Bolukbasi et al., Man is to Computer Programmer as Woman is to Homemaker?,
        section 6 (neutralize and equalize), https://arxiv.org/abs/1607.06520
    """
    known = _known_pairs(vectors, pairs)
    direction = pair_direction(vectors, known)
    place = {word: row for row, word in enumerate(vectors.words)}
    new = functional.normalize(project_out(vectors.vectors, direction), dim=1)
    for word in keep:
        if word in place:
            new[place[word]] = vectors[word]
    for a, b in known:
        middle = project_out((vectors[a] + vectors[b]) / 2, direction)
        side = (1 - middle.square().sum()).clamp(min=0).sqrt() * direction
        new[place[a]], new[place[b]] = middle + side, middle - side
    return WordVectors(vectors.words, new)


def cluster_recovery(
    vectors: Float[Tensor, "word dim"],
    is_first: Bool[Tensor, "word"],
    seed: int = 0,
    restarts: int = 10,
) -> float:
    """Return how well two clusters of the vectors agree with two groups that the
    clustering has not seen: 1 for perfect agreement, about 0.5 for none.

    Args:
        is_first: The group of each vector.
        seed: Seed of the starts of k-means.
        restarts: The number of starts; the clusters with the smallest distances count.

    Raises:
        ValueError: If a group is empty or `restarts` is below 1.

    Source: Gonen and Goldberg, Lipstick on a Pig, section 4,
        https://arxiv.org/abs/1903.03862
    """
    if is_first.all() or not is_first.any():
        raise ValueError(
            f"Both groups need members, got {int(is_first.sum())} of {len(is_first)}."
        )
    if restarts < 1:
        raise ValueError(f"restarts must be at least 1, got {restarts}.")
    generator = torch.Generator().manual_seed(seed)
    best, clusters = torch.inf, is_first
    for _ in range(restarts):
        centres = k_means(vectors, random_codebook(vectors, 2, generator), steps=50)
        nearest = nearest_codes(vectors, centres)
        distance = float((vectors - centres[nearest]).square().sum())
        if distance < best:
            best, clusters = distance, nearest == 0
    agreement = float((clusters == is_first).float().mean())
    return max(agreement, 1 - agreement)


def _known_pairs(
    vectors: WordVectors, pairs: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    known = [(a, b) for a, b in pairs if a in vectors and b in vectors]
    if not known:
        raise ValueError(
            "No pair has vectors for both words: give other pairs, or vectors of more "
            "text."
        )
    return known
