"""Copies of the training data: the copy test for images, and a suffix array that finds
the longest copied stretch of a text.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .image_quality import nearest_neighbours
from .intervals import Interval

_DRAWS = 10_000


@dataclass(frozen=True)
class CopyTest:
    """The result of `copy_test`.

    Attributes:
        nearer_to_train: Share of samples whose nearest real image is a training image.
        expected: The same share for a model that does not depend on which images were
            in the training set: n_train / (n_train + n_held_out).
        interval: 95% interval of the excess, from a bootstrap in which samples with the
            same nearest image stay together.
        p_value: Probability of such a share or a larger one under the null hypothesis,
            from a permutation test.
        nearest: Index of each sample's nearest training image.
        nearest_held_out: Index of each sample's nearest held-out image.
        distances: Distance of each sample to its nearest training image.
        held_out_distances: Distance of each sample to its nearest held-out image.
    """

    nearer_to_train: float
    expected: float
    interval: Interval
    p_value: float
    nearest: Int[Tensor, "sample"]
    nearest_held_out: Int[Tensor, "sample"]
    distances: Float[Tensor, "sample"]
    held_out_distances: Float[Tensor, "sample"]

    @property
    def excess(self) -> float:
        """The share beyond the expected one, as a fraction of the largest possible
        excess: if a share c of the samples are copies and the others do not depend on
        the split, c on average.
        """
        return (self.nearer_to_train - self.expected) / (1 - self.expected)

    @property
    def ratios(self) -> Float[Tensor, "sample"]:
        """Distance to the nearest training image, divided by that to the nearest
        held-out image; 0 for an exact copy.
        """
        ratios = self.distances / self.held_out_distances
        return torch.where(self.distances > 0, ratios, 0.0)

    def most_suspicious(self, count: int) -> Int[Tensor, "count"]:
        """Return the samples with the smallest ratios, smallest first: the ones to look
        at beside their nearest training images. One small ratio proves nothing, since
        two real images may be as similar by chance.

        Raises:
            ValueError: If there are fewer samples.
        """
        if not 1 <= count <= len(self.distances):
            raise ValueError(
                f"count must be from 1 to the number of samples, {len(self.distances)},"
                f" got {count}"
            )
        return self.ratios.argsort(stable=True)[:count]

    def __str__(self) -> str:
        return (
            f"{self.nearer_to_train:.1%} of samples nearer to training images "
            f"({self.expected:.1%} expected), excess {self.interval}, "
            f"p = {self.p_value:.2g}"
        )


def copy_test(
    samples: Float[Tensor, "sample *shape"],
    train: Float[Tensor, "train *shape"],
    held_out: Float[Tensor, "held_out *shape"],
    *,
    seed: int = 0,
) -> CopyTest:
    """Test whether samples lie nearer to training images than to held-out images.

    Training and held-out images come from one pool that was split at random. If a model
    does not depend on the outcome of the split, the image of the pool that is nearest
    to a sample is a training image with probability `n_train / (n_train + n_held_out)`.
    A model that copies draws samples whose originals are training images, and this
    share rises.

    Both distances are measured from the same sample, so blur, noise and other changes
    that all samples suffer do not matter. A comparison of distances to the training
    images alone, from samples and from held-out images (Meehan et al.), mistakes blur
    for copying.

    The *p* value comes from a permutation test: keep the nearest image of each sample,
    and draw at random which images of the pool are training images. An image that is
    nearest to many samples carries them along, so that they are not counted as
    independent evidence.

    If groups of similar images were kept together in the split, the *p* value is too
    small. A few copies among many samples are detected only with enough held-out
    images.

    Args:
        samples: Generated images.
        train: All images the model was trained on.
        held_out: Images of the same distribution that it was not trained on.
        seed: Seed of the permutations, of the bootstrap, and of the choice between
            images that are equally near.

    Raises:
        ValueError: If a set is empty, the shapes differ, or a value is not finite.

    Source: Platzer and Reutterer (2021), Holdout-based fidelity and privacy assessment
        of mixed-type synthetic data, https://arxiv.org/abs/2104.00635; compare Meehan,
        Chaudhuri and Dasgupta (2020), A non-parametric test to detect data-copying in
        generative models, https://arxiv.org/abs/2004.05675

    >>> pool = torch.rand(300, 5, generator=torch.Generator().manual_seed(0))
    >>> train, held_out = pool[:200], pool[200:]
    >>> print(copy_test(0.9 * train, train, held_out))
    99.5% of samples nearer to training images (66.7% expected), excess 0.985 ...
    """
    _check(samples, train, held_out)
    of_train = nearest_neighbours(samples, train)
    of_held_out = nearest_neighbours(samples, held_out)
    # Of the two candidates for each sample, the nearer one; the order in which equal
    # ones are searched must not depend on the split.
    order = torch.randperm(
        len(train) + len(held_out), generator=torch.Generator().manual_seed(seed)
    )
    pool = torch.cat([train, held_out])[order]
    nearest = order[nearest_neighbours(samples, pool).indices[:, 0].cpu()]
    images, hits = np.unique(nearest.numpy(), return_counts=True)
    is_train = images < len(train)
    expected = len(train) / len(pool)
    share = float(hits[is_train].sum() / hits.sum())
    generator = np.random.default_rng(seed)
    shares = _bootstrap_shares(hits, is_train, generator)
    low, high = (np.quantile(shares, [0.025, 0.975]) - expected) / (1 - expected)
    return CopyTest(
        nearer_to_train=share,
        expected=expected,
        interval=Interval((share - expected) / (1 - expected), float(low), float(high)),
        p_value=_permutation_p_value(
            hits, int(hits[is_train].sum()), len(train), len(held_out), generator
        ),
        nearest=of_train.indices[:, 0],
        nearest_held_out=of_held_out.indices[:, 0],
        distances=of_train.distances[:, 0],
        held_out_distances=of_held_out.distances[:, 0],
    )


def _permutation_p_value(
    hits: np.ndarray,
    found: int,
    n_train: int,
    n_held_out: int,
    generator: np.random.Generator,
) -> float:
    # Only the number of training images among the images with equally many samples
    # matters, and it is hypergeometric: no need to shuffle the pool.
    sizes, counts = np.unique(hits, return_counts=True)
    without = n_train + n_held_out - len(hits)
    drawn = generator.multivariate_hypergeometric(
        np.append(counts, without), n_train, size=_DRAWS
    )
    under_null = drawn[:, :-1] @ sizes
    return float((1 + (under_null >= found).sum()) / (1 + _DRAWS))


def _bootstrap_shares(
    hits: np.ndarray, is_train: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Resample the images that are nearest to samples, each with all its samples."""
    # As above, images with equally many samples on the same side are interchangeable.
    groups, counts = np.unique(np.stack([hits, is_train]), axis=1, return_counts=True)
    drawn = generator.multinomial(counts.sum(), counts / counts.sum(), size=_DRAWS)
    samples = drawn * groups[0]
    return (samples @ groups[1]) / samples.sum(axis=1)


def _check(samples: Tensor, train: Tensor, held_out: Tensor) -> None:
    named = {"samples": samples, "train": train, "held_out": held_out}
    for name, images in named.items():
        if len(images) == 0:
            raise ValueError(f"{name} must hold at least one image, got none")
        if not images.isfinite().all():
            raise ValueError(f"{name} must be finite: it has NaN or infinite values")
        if images.shape[1:] != train.shape[1:]:
            raise ValueError(
                f"{name} has images of shape {tuple(images.shape[1:])}, train of shape "
                f"{tuple(train.shape[1:])}: they must be the same"
            )


@dataclass(frozen=True)
class CopiedRun:
    """A stretch of a text, from the index `start`, that occurs in the corpus at the
    index `place`.
    """

    text: str
    start: int
    place: int

    def __len__(self) -> int:
        return len(self.text)


class SuffixArray:
    """All suffixes of a corpus in alphabetical order. The occurrences of any text
    are neighbours there, so binary search finds them.

    Building it takes about a second per million characters.

    Raises:
        ValueError: If the corpus is empty.

    Source: Manber and Myers, Suffix Arrays: A New Method for On-Line String Searches
        (1993), https://doi.org/10.1137/0222058; Lee et al., section 4.1,
        https://arxiv.org/abs/2107.06499, for its use on training data

    >>> array = SuffixArray("banana")
    >>> array.order.tolist()  # a, ana, anana, banana, na, nana
    [5, 3, 1, 0, 4, 2]
    >>> array.count("an")
    2
    """

    def __init__(self, corpus: str):
        if not corpus:
            raise ValueError("The corpus must have at least one character, got none.")
        self.corpus = corpus
        self.order = _sorted_suffixes(corpus)

    def count(self, text: str) -> int:
        """Return the number of times that a text occurs in the corpus; occurrences may
        overlap.

        Raises:
            ValueError: If the text is empty.
        """
        if not text:
            raise ValueError("An empty text occurs everywhere: give some characters.")
        start, end = self._bounds(text)
        return end - start

    def longest_run(self, text: str) -> CopiedRun:
        """Return the longest stretch of a text that occurs in the corpus; of equally
        long ones, the first.

        >>> SuffixArray("to be or not to be").longest_run("we are not to blame")
        CopiedRun(text=' not to b', start=6, place=8)
        """
        longest = CopiedRun("", 0, 0)
        for start in range(len(text)):
            # Only a stretch that is longer than the best so far is of interest.
            place = self._find(text[start : start + len(longest) + 1])
            while place is not None and start + len(longest) < len(text):
                stretch = text[start : start + len(longest) + 1]
                longest = CopiedRun(stretch, start, place)
                place = self._find(text[start : start + len(longest) + 1])
        return longest

    def _find(self, text: str) -> int | None:
        """Return the position of one occurrence, or None."""
        start, end = self._bounds(text)
        return int(self.order[start]) if text and start < end else None

    def _bounds(self, text: str) -> tuple[int, int]:
        def beginning(place) -> str:
            return self.corpus[place : place + len(text)]

        start = bisect_left(self.order, text, key=beginning)
        return start, bisect_right(self.order, text, lo=start, key=beginning)


def _sorted_suffixes(corpus: str) -> np.ndarray:
    """Sort all suffixes by doubling: after each pass they are sorted by twice as many
    of their first characters.
    """
    # surrogatepass: a corpus may contain what no valid text does.
    codes = np.frombuffer(corpus.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    rank = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    length, sorted_by = len(codes), 1
    while True:
        following = np.zeros(length, dtype=np.int64)  # 0: the suffix has ended
        following[:-sorted_by] = rank[sorted_by:] + 1
        pairs = rank * (length + 1) + following
        order = np.argsort(pairs, kind="stable")
        differs = np.diff(pairs[order], prepend=pairs[order[0]]) != 0
        rank[order] = differs.cumsum()
        sorted_by *= 2
        if rank[order[-1]] == length - 1 or sorted_by >= length:
            return order
