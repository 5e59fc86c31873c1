"""Counting: what a model costs, from its settings alone: parameters, arithmetic and
memory.

The conventions, which differ from text to text:

- One multiplication and one addition are two FLOPs. Matrix products count; norms,
  activations, softmax and adding biases are left out, which together are a percent or
  less in a large model.
- Looking up an embedding costs nothing. The output layer counts, also where it shares
  the embedding's weights.
- What attention does between positions is apart (`attention_flops`), because it grows
  with the text.
- Going backward costs twice as much as going forward: once for the inputs' gradients,
  once for the weights'.
"""

from dataclasses import dataclass
from typing import Literal

from genai_tutorial.efficiency.model_sizes import ModelShape, shape_of
from genai_tutorial.transformer.config import DecoderConfig

PartName = Literal[
    "embedding",
    "attention",
    "feed-forward",
    "experts",
    "router",
    "norms",
    "convolutions",
    "output",
]


@dataclass(frozen=True)
class Part:
    """The weights of all layers of one kind.

    Attributes:
        name: The kind.
        parameters: How many numbers training adjusts.
        active: How many of them take part for one token: of the experts, only the
            chosen and the shared.
        multiplied: How many numbers a token's vector is multiplied by, shared weights
            included.
    """

    name: PartName
    parameters: int
    active: int
    multiplied: int


@dataclass(frozen=True)
class TrainingMemory:
    """The bytes that training keeps beside the activations.

    Attributes:
        weights: The weights that the forward pass uses.
        gradients: One for each weight.
        optimizer: What AdamW keeps: in mixed precision a copy of the weights, and two
            running means.
    """

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """All of it together."""
        return self.weights + self.gradients + self.optimizer


@dataclass(frozen=True)
class Counts:
    """What a model of one shape costs.

    Attributes:
        shape: The shape that was counted.
        parts: Where its weights are.
    """

    shape: ModelShape
    parts: tuple[Part, ...]

    @property
    def parameters(self) -> int:
        """How many numbers training adjusts; shared ones count once."""
        return sum(part.parameters for part in self.parts)

    @property
    def active_parameters(self) -> int:
        """How many parameters take part for one token, the whole embedding table
        included.
        """
        return sum(part.active for part in self.parts)

    @property
    def flops_per_token(self) -> int:
        """The FLOPs of one token's way through all matrices: two for each weight that
        it is multiplied by.
        """
        return 2 * sum(part.multiplied for part in self.parts)

    def attention_flops(self, positions: int) -> int:
        """Return the FLOPs of attention for one token that sees so many positions,
        itself included.

        Each is compared with the token's query and then takes part in an average, in
        every head of every layer.

        Raises:
            ValueError: If `positions` is less than 1.
        """
        return (
            2
            * self.shape.layers
            * self.shape.attention.mixed_width
            * self._seen(positions)
        )

    def mean_attention_flops(self, length: int | None = None) -> float:
        """Return the mean of `attention_flops` over a text, whose first token sees one
        position and whose last all.

        Args:
            length: The text's number of tokens; None for a full context.

        Raises:
            ValueError: If `length` is less than 1.
        """
        length = self.shape.context_length if length is None else length
        window = self._seen(length)
        # 1 + 2 + ... + window while the window fills, and then the whole window each
        # time.
        positions = window * (window + 1) / 2 + (length - window) * window
        return self.attention_flops(1) * positions / length

    def training_flops(self, tokens: float | int, length: int | None = None) -> float:
        """Return the FLOPs of training on so many tokens, in texts of one length:
        three times the forward pass.

        Args:
            tokens: The number of tokens, over all passes.
            length: How many tokens stand together in a text; None for a full context.

        Source: Kaplan et al., Scaling Laws for Neural Language Models, section 2.1,
        https://arxiv.org/abs/2001.08361
        """
        return 3 * tokens * (self.flops_per_token + self.mean_attention_flops(length))

    def approximate_training_flops(self, tokens: float | int) -> float:
        """Return the rule of thumb, 6 N D: six times the active parameters times the
        tokens.
        """
        return 6.0 * self.active_parameters * tokens

    def weight_bytes(self, bits: int = 16) -> int:
        """Return the bytes of all weights, of which a mixture of experts must hold the
        inactive ones too.
        """
        return self.parameters * bits // 8

    def training_memory(self, mixed_precision: bool = True) -> TrainingMemory:
        """Return the bytes of weights, gradients and AdamW's state.

        In mixed precision: 2 bytes a weight, 2 a gradient, 12 for the optimizer (a
        float32 copy and two float32 means). In float32: 4, 4 and 8. Activations come on
        top, and depend on the batch.

        Source: Rajbhandari et al., ZeRO, section 3.1, https://arxiv.org/abs/1910.02054
        """
        weight, gradient, optimizer = (2, 2, 12) if mixed_precision else (4, 4, 8)
        return TrainingMemory(
            *(self.parameters * size for size in (weight, gradient, optimizer))
        )

    def cache_bytes(self, positions: int, batch_size: int = 1, bits: int = 16) -> int:
        """Return the bytes of the keys and values of a batch of texts, each of so many
        positions.

        Raises:
            ValueError: If `positions` is less than 1.
        """
        per_position = self.shape.layers * self.shape.attention.cached_width * bits // 8
        return batch_size * self._seen(positions) * per_position

    def _seen(self, positions: int) -> int:
        if positions < 1:
            raise ValueError(
                "positions must be at least 1, because a token sees itself; got "
                f"{positions}."
            )
        return (
            positions
            if self.shape.window is None
            else min(positions, self.shape.window)
        )


def count(model: ModelShape | DecoderConfig) -> Counts:
    """Count a model's weights, and what follows from them.

    Args:
        model: The model's shape, or the settings of one of the book's decoders.

    >>> count(DecoderConfig.gpt2()).parameters
    124439808
    """
    shape = shape_of(model) if isinstance(model, DecoderConfig) else model
    return Counts(
        shape,
        tuple(part for part in _parts(shape) if part.parameters or part.multiplied),
    )


def _parts(shape: ModelShape) -> list[Part]:
    width, layers, mixtures = shape.width, shape.layers, shape.mixture_layers
    projections = layers * sum(
        rows * columns for rows, columns in shape.attention.matrices(width)
    )
    attention = projections + layers * shape.attention.vectors(width)
    dense_matrices, dense = _feed_forward(shape, shape.feed_forward_width)
    expert_matrices, expert = _feed_forward(shape, shape.expert_width)
    shared_matrices, shared = _feed_forward(
        shape, shape.shared_experts * shape.expert_width
    )
    chosen = shape.experts_per_token
    norms = (2 * layers + 1) * width * (2 if shape.norm_bias else 1)
    table = shape.vocab_size * width
    ngrams = sum(rows * features for rows, features in shape.tables)
    ngram_project = width * sum(features for _, features in shape.tables)
    embedding = (
        table
        + ngrams
        + ngram_project
        + shape.context_length * width * shape.learned_positions
    )
    return [
        Part("embedding", embedding, embedding, ngram_project),
        Part("attention", attention, attention, projections),
        Part(
            "feed-forward",
            *[(layers - mixtures) * n for n in (dense, dense, dense_matrices)],
        ),
        Part(
            "experts",
            mixtures * (shape.experts * expert + shared),
            mixtures * (chosen * expert + shared),
            mixtures * (chosen * expert_matrices + shared_matrices),
        ),
        Part("router", *[mixtures * shape.experts * width] * 3),
        Part("norms", norms, norms, 0),
        Part("convolutions", *[2 * layers * shape.convolution_size * width] * 2, 0),
        Part("output", *[0 if shape.tied_embeddings else table] * 2, table),
    ]


def _feed_forward(shape: ModelShape, hidden_width: int) -> tuple[int, int]:
    """Return the numbers in a feed-forward layer's matrices, and those with its
    biases.
    """
    wideners = 2 if shape.gated else 1
    matrices = (wideners + 1) * shape.width * hidden_width
    biases = wideners * hidden_width + shape.width if shape.bias and hidden_width else 0
    return matrices, matrices + biases
