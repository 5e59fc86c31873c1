"""A one-layer attention model, and two tasks that depend on word order."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import (
    LearnedPositions,
    RotaryEmbedding,
    SinusoidalPositions,
    alibi_bias,
    attention,
    causal_mask,
)

IGNORED = -1
"""The target at positions that the loss leaves out."""

WORDS, HEADS = 16, 4

Batch = tuple[Int[Tensor, "batch position"], Int[Tensor, "batch position"]]


class PositionReader(nn.Module):
    """Embedding, one attention layer and output layer over a vocabulary of 16 words.

    Args:
        positions: "none", "learned", "sinusoidal", "rotary" or "ALiBi".
        causal: Whether each position sees only itself and earlier ones.
        width: The number of features per word.
        seed: Seed of the initial weights.

    Raises:
        ValueError: If there is no such positional encoding.
    """

    KINDS = ("none", "learned", "sinusoidal", "rotary", "ALiBi")

    def __init__(
        self, positions: str, causal: bool = True, width: int = 32, seed: int = 0
    ):
        super().__init__()
        if positions not in self.KINDS:
            raise ValueError(
                f"positions must be one of {', '.join(self.KINDS)}, got {positions!r}."
            )
        torch.manual_seed(seed)
        self.positions, self.causal = positions, causal
        self.embedding = nn.Embedding(WORDS, width)
        self.projections = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, WORDS)
        self.learned = LearnedPositions(128, width)
        nn.init.normal_(self.learned.weight, std=0.5)
        self.sinusoidal = SinusoidalPositions(128, width)
        # The texts are short, so the slowest angles of base 10,000 would never turn.
        self.rotary = RotaryEmbedding(width // HEADS, 2048, base=100)

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
    batch_size: int = 32,
    learning_rate: float = 1e-2,
    seed: int = 0,
) -> PositionReader:
    """Train a reader with AdamW on batches from `draw`, and return it.

    Args:
        reader: The model; it is changed in place.
        draw: Makes a batch of the given size: word ids and targets.
        steps: The number of training steps.
        batch_size: The number of texts per step.
        learning_rate: AdamW's learning rate.
        seed: Seed of the batches.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=learning_rate)
    device = next(reader.parameters()).device
    for _ in range(steps):
        ids, targets = (x.to(device) for x in draw(batch_size, generator))
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
    """Return pairs of two different names, split into a training and a test set.

    Both orders of a pair belong to the same set.
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
