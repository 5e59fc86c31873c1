"""Hard debiasing of word vectors, and a test of what it leaves, for safety.py."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.interpretability import WordVectors
from genai_tutorial.safety import project_out
from genai_tutorial.vae import k_means, nearest_codes, random_codebook


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
) -> float:
    """Return how well two clusters of the vectors agree with two groups that the
    clustering has not seen: 1 for perfect agreement, about 0.5 for none.

    Args:
        is_first: The group of each vector.
        seed: Seed of the starts of k-means.

    Raises:
        ValueError: If a group is empty.

    Source: Gonen and Goldberg, Lipstick on a Pig, section 4,
        https://arxiv.org/abs/1903.03862
    """
    if is_first.all() or not is_first.any():
        raise ValueError(
            f"Both groups need members, got {int(is_first.sum())} of {len(is_first)}."
        )
    generator = torch.Generator().manual_seed(seed)
    best, clusters = torch.inf, is_first
    for _ in range(10):  # the clusters with the smallest distances count
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
