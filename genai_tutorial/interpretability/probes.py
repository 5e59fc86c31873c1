"""What hidden states encode: separation of two groups of vectors, and readers trained
to find a position.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.metrics import Interval
from genai_tutorial.transformer import (
    LearnedPositions,
    RotaryEmbedding,
    SinusoidalPositions,
    alibi_bias,
    attention,
    causal_mask,
    rotary_frequencies,
)


def centred_cosines(vectors: Float[Tensor, "n dim"]) -> Float[Tensor, "n n"]:
    """Return the cosine similarity of each pair of vectors after subtracting their
    mean; 0 where a vector equals the mean.

    Hidden states share a large common component, which makes all plain cosines high but
    carries no information about differences.
    """
    centred = vectors - vectors.mean(dim=0)
    # Rounding leaves identical vectors slightly off their mean: without this, the
    # rounding errors would be compared.
    tiny = centred.norm(dim=1) <= 1e-6 * vectors.norm(dim=1)
    unit = functional.normalize(centred.masked_fill(tiny[:, None], 0.0), dim=1)
    return unit @ unit.T


def within_between_auc(
    similarities: Float[Tensor, "n n"], labels: Int[Tensor, "n"]
) -> float:
    """Return the probability that a pair of the same group is more similar than a
    pair of different groups; ties count half.

    It is 0.5 by chance, and the area under the ROC curve for classifying pairs by their
    similarity.

    Args:
        similarities: A symmetric table; the diagonal is ignored.
        labels: The group of each row.

    Raises:
        ValueError: If there is no pair within a group, or none across groups.

    Source: Hanley and McNeil (1982), The meaning and use of the area under a receiver
    operating characteristic curve.

    >>> similarities = torch.tensor([[1.0, 0.9, 0.1], [0.9, 1.0, 0.2], [0.1, 0.2, 1.0]])
    >>> within_between_auc(similarities, torch.tensor([0, 0, 1]))
    1.0
    """
    first, second, same = _pairs(labels)
    values = similarities[first, second]
    within, between = values[same], values[~same].sort().values
    below, not_above = (
        torch.searchsorted(between, within, right=right) for right in (False, True)
    )
    return float((below + not_above).double().mean() / (2 * len(between)))


LEVEL, RESAMPLES = 0.95, 2000
"""The level and the number of resamples of `within_between_auc_interval`."""


def within_between_auc_interval(
    similarities: Float[Tensor, "n n"], labels: Int[Tensor, "n"]
) -> Interval:
    """Return the AUC of `within_between_auc` with a bootstrap confidence interval of
    95%; arguments and errors as for that function.

    The bootstrap resamples examples and not pairs, because pairs that share an example
    are not independent. Groups keep their sizes, and an example that is drawn twice is
    not paired with itself. Every pair within a group is compared with every pair across
    groups, which is feasible for up to about a hundred examples.
    """
    similarities, labels = similarities.cpu(), labels.cpu()  # where the draws are made
    first, second, same = _pairs(labels)
    values = similarities[first, second]
    within, between = values[same, None], values[None, ~same]
    wins = (within > between).double() + 0.5 * (within == between)
    generator = torch.Generator().manual_seed(0)
    times_drawn = _stratified_draws(labels, RESAMPLES, generator)
    weight = times_drawn[:, first] * times_drawn[:, second]
    total = weight[:, same].sum(dim=1) * weight[:, ~same].sum(dim=1)
    won = ((weight[:, same] @ wins) * weight[:, ~same]).sum(dim=1)
    tail = (1 - LEVEL) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = (won / total)[total > 0].quantile(ends).tolist()
    mean = within_between_auc(similarities, labels)
    return Interval(mean=mean, low=low, high=high, level=LEVEL)


def leave_one_out_centroid_hits(
    vectors: Float[Tensor, "n dim"], labels: Int[Tensor, "n"]
) -> Float[Tensor, "n"]:
    """Return for each vector 1 if its group's centroid, computed without it, is the
    nearest one (Euclidean), else 0.

    If several centroids including its own are equally near, a vector counts as a guess:
    1 divided by their number. The mean is the leave-one-out accuracy of the
    nearest-centroid classifier.

    Raises:
        ValueError: If a group has fewer than two members.

    >>> points, labels = torch.tensor([[0.0], [1.0], [8.0], [9.0]]), [0, 0, 1, 1]
    >>> leave_one_out_centroid_hits(points, torch.tensor(labels))
    tensor([1., 1., 1., 1.])
    """
    sizes = labels.bincount()
    if len(sizes) < 2 or sizes.min() < 2:
        raise ValueError(
            "Each of at least two groups needs two members, got groups of "
            f"{sizes.tolist()}."
        )
    x = vectors.double()
    member = functional.one_hot(labels, len(sizes)).double()
    sums = member.T @ x
    # Each vector is left out of its group's centroid.
    centres = (sums - member[:, :, None] * x[:, None, :]) / (sizes - member)[:, :, None]
    distances = (x[:, None, :] - centres).norm(dim=-1)
    # Distances that are equal up to rounding count as equal.
    nearest = distances <= distances.min(dim=1, keepdim=True).values + 1e-6 * x.norm(
        dim=1, keepdim=True
    )
    own = nearest.gather(1, labels[:, None])[:, 0]
    return (own / nearest.sum(dim=1)).float()


def _pairs(
    labels: Int[Tensor, "n"],
) -> tuple[Int[Tensor, "pair"], Int[Tensor, "pair"], Bool[Tensor, "pair"]]:
    """Return both rows of each pair, and whether they belong to the same group."""
    first, second = torch.triu_indices(len(labels), len(labels), offset=1).unbind()
    same = labels[first] == labels[second]
    if not same.any() or same.all():
        raise ValueError(
            "labels must have two groups, one with at least two members, got "
            f"{labels.tolist()}."
        )
    return first, second, same


def _stratified_draws(
    labels: Int[Tensor, "n"], resamples: int, generator: torch.Generator
) -> Float[Tensor, "resample n"]:
    """Return how often each row is drawn when each group is resampled with replacement
    at its own size.
    """
    times = torch.zeros(resamples, len(labels), dtype=torch.float64)
    for group in labels.unique():
        members = (labels == group).nonzero()[:, 0]
        drawn = members[
            torch.randint(len(members), (resamples, len(members)), generator=generator)
        ]
        times.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    return times


IGNORED = -1
"""The target at positions that the loss leaves out."""

WORDS, WIDTH, HEADS = 16, 32, 4

Batch = tuple[Int[Tensor, "batch position"], Int[Tensor, "batch position"]]


class PositionReader(nn.Module):
    """Embedding, one attention layer and output layer over a vocabulary of 16 words.

    Args:
        positions: "none", "learned", "sinusoidal", "rotary" or "ALiBi".
        causal: If true, each position sees only itself and earlier ones.

    Raises:
        ValueError: If there is no such positional encoding.
    """

    KINDS = ("none", "learned", "sinusoidal", "rotary", "ALiBi")

    def __init__(self, positions: str, causal: bool = True):
        super().__init__()
        if positions not in self.KINDS:
            raise ValueError(
                f"positions must be one of {', '.join(self.KINDS)}, got {positions!r}."
            )
        torch.manual_seed(0)
        self.positions, self.causal = positions, causal
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.projections = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.output = nn.Linear(WIDTH, WORDS)
        self.learned = LearnedPositions(128, WIDTH)
        nn.init.normal_(self.learned.weight, std=0.5)
        self.sinusoidal = SinusoidalPositions(128, WIDTH)
        # The texts are short, so the slowest angles of base 10,000 would never turn.
        self.rotary = RotaryEmbedding(rotary_frequencies(WIDTH // HEADS, 100), 2048)

    def forward(
        self, ids: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "batch position word"]:
        """Return the logits of every word at each position."""
        x = self.embedding(ids)
        if self.positions in ("learned", "sinusoidal"):
            x = getattr(self, self.positions)(x)
        query, key, value = self.split_heads(self.projections(x))
        if self.positions == "rotary":
            query, key = self.rotary(query), self.rotary(key)
        length = ids.shape[1]
        mask = causal_mask(length, ids.device) if self.causal else None
        bias = None
        if self.positions == "ALiBi":
            bias = alibi_bias(HEADS, length, ids.device)
        mixed = attention(query, key, value, mask, bias)
        return self.output(mixed.transpose(1, 2).flatten(2))

    @staticmethod
    def split_heads(
        x: Float[Tensor, "batch position _"],
    ) -> tuple[Float[Tensor, "batch head position dim"], ...]:
        """Return queries, keys and values from their joint projection."""
        return x.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind()


def train_reader(
    reader: PositionReader,
    draw: Callable[[int, torch.Generator], Batch],
    steps: int = 250,
) -> PositionReader:
    """Train a reader in place with AdamW on batches from `draw`, which makes a batch of
    the given size, and return it.
    """
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=1e-2)
    device = next(reader.parameters()).device
    for _ in range(steps):
        ids, targets = (x.to(device) for x in draw(32, generator))
        logits = reader(ids)
        loss = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return reader


@torch.no_grad()
def reader_accuracy(
    reader: PositionReader,
    ids: Int[Tensor, "batch position"],
    targets: Int[Tensor, "batch position"],
) -> float:
    """Return the share of targets that get the highest logit."""
    asked = targets != IGNORED
    return (reader(ids).argmax(dim=-1) == targets)[asked].float().mean().item()


def previous_word_batch(
    count: int, generator: torch.Generator, length: int = 24
) -> Batch:
    """Draw random words; the target at each position is the word before it."""
    ids = torch.randint(WORDS, (count, length), generator=generator)
    first = torch.full((count, 1), IGNORED)
    return ids, torch.cat([first, ids[:, :-1]], dim=1)


BITES = 0
"""The word between the two names of a sentence of `who_bites_batch`."""


def name_pairs() -> tuple[Int[Tensor, "train 2"], Int[Tensor, "test 2"]]:
    """Return pairs of two different names, split into a training and a test set; both
    orders of a pair belong to the same set.
    """
    names = torch.arange(BITES + 1, WORDS)
    pairs = torch.cartesian_prod(names, names)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    test = pairs.sum(dim=1) % 5 == 0
    return pairs[~test], pairs[test]


def who_bites_batch(pairs: Int[Tensor, "pair 2"]) -> Batch:
    """Return the sentences "A bites B" with the target A, asked at the word "bites"."""
    ids = torch.stack([pairs[:, 0], torch.full((len(pairs),), BITES), pairs[:, 1]], 1)
    targets = torch.full_like(ids, IGNORED)
    targets[:, 1] = pairs[:, 0]
    return ids, targets
