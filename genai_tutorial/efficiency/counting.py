"""Parameters, FLOPs and memory of a model, computed from its settings alone.

Conventions, which differ between publications:

- One multiplication and one addition are two FLOPs. Only matrix products count; norms,
  activation functions, softmax and biases are left out, because together they are one
  percent or less in a large model.
- Looking up an embedding costs nothing. The output layer counts even if it shares the
  embedding's weights.
- The products between positions in attention are counted separately
  (`attention_flops`), because they grow with the sequence length.
- A backward pass costs twice as much as a forward pass: once for the gradients of the
  inputs, once for the gradients of the weights.
"""

from dataclasses import dataclass

from genai_tutorial.transformer import DecoderConfig

from .model_sizes import ModelShape, shape_of


@dataclass(frozen=True)
class ModelPart:
    """The weights of all layers of one kind.

    Attributes:
        name: The kind of layer, such as "attention" or "experts".
        active: The number of parameters used per token: of the experts, only the chosen
            and the shared ones.
        multiplied: The number of weights in matrix products per token; weights that two
            products share count twice.
    """

    name: str
    parameters: int
    active: int
    multiplied: int


@dataclass(frozen=True)
class TrainingMemory:
    """The memory of training in bytes, without the activations.

    Attributes:
        weights: The weights used in the forward pass.
        optimizer: A float32 copy of the weights, and AdamW's two running averages.
    """

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """The sum of all three."""
        return self.weights + self.gradients + self.optimizer


@dataclass(frozen=True)
class Counts:
    """The costs of a model of a given shape, from its weights by kind of layer."""

    shape: ModelShape
    parts: tuple[ModelPart, ...]

    @property
    def parameters(self) -> int:
        """The number of trainable parameters; shared ones count once."""
        return sum(part.parameters for part in self.parts)

    @property
    def active_parameters(self) -> int:
        """The number of parameters used per token, including the whole embedding
        table.
        """
        return sum(part.active for part in self.parts)

    @property
    def flops_per_token(self) -> int:
        """The FLOPs of a forward pass per token, two for each weight in a matrix
        product; attention between positions is counted separately.
        """
        return 2 * sum(part.multiplied for part in self.parts)

    def attention_flops(self, positions: int) -> int:
        """Return the FLOPs of attention for one token that attends to this many
        positions, itself included.

        Raises:
            ValueError: If `positions` is less than 1.
        """
        products = self.shape.attention.products_per_position
        return 2 * self.shape.layers * products * self._seen(positions)

    def mean_attention_flops(self, length: int | None = None) -> float:
        """Return the mean of `attention_flops` over a text, whose first token attends
        to one position and whose last token attends to all.

        Args:
            length: The sequence length in tokens; None for a full context window.

        Raises:
            ValueError: If `length` is less than 1.
        """
        length = self.shape.context_length if length is None else length
        window = self._seen(length)
        # 1 + 2 + ... + window while the window fills, then the whole window for each
        # further token.
        positions = window * (window + 1) / 2 + (length - window) * window
        return self.attention_flops(1) * positions / length

    def training_flops(self, tokens: float | int, length: int | None = None) -> float:
        """Return the FLOPs of training: three times the forward pass's.

        Args:
            tokens: The number of training tokens, over all epochs.
            length: The sequence length in tokens; None for a full context window.

        Source: Kaplan et al., Scaling Laws for Neural Language Models, section 2.1,
        https://arxiv.org/abs/2001.08361
        """
        return 3 * tokens * (self.flops_per_token + self.mean_attention_flops(length))

    def approximate_training_flops(self, tokens: float | int) -> float:
        """Return the rule of thumb 6 N D: six FLOPs per active parameter and token."""
        return 6.0 * self.active_parameters * tokens

    def weight_bytes(self, bits: int = 16) -> int:
        """Return the bytes of all weights, including the inactive experts, which have
        to be in memory too.
        """
        return self.parameters * bits // 8

    def training_memory(self) -> TrainingMemory:
        """Return the bytes of weights, gradients and AdamW's state in mixed precision:
        2 per weight, 2 per gradient and 12 for the optimizer.

        In float32 it is the same sum, 4 + 4 + 8. Activations need additional memory,
        which depends on the batch size.

        Source: Rajbhandari et al., ZeRO, section 3.1, https://arxiv.org/abs/1910.02054
        """
        return TrainingMemory(*(self.parameters * size for size in (2, 2, 12)))

    def cache_bytes(self, positions: int, batch_size: int = 1, bits: int = 16) -> int:
        """Return the bytes of the KV cache of a batch of texts with this many positions
        each.

        Raises:
            ValueError: If `positions` is less than 1.
        """
        per_position = self.shape.layers * self.shape.attention.cached_width * bits // 8
        return batch_size * self._seen(positions) * per_position

    def _seen(self, positions: int) -> int:
        if positions < 1:
            raise ValueError(
                "positions must be at least 1, because a token attends to itself; got "
                f"{positions}."
            )
        return min(positions, self.shape.window or positions)


def count(model: ModelShape | DecoderConfig) -> Counts:
    """Count a model's parameters, FLOPs and memory.

    Args:
        model: A model's shape, or the settings of one of the book's decoders.

    >>> count(DecoderConfig.gpt2()).parameters
    124439808
    """
    shape = shape_of(model) if isinstance(model, DecoderConfig) else model
    parts = (part for part in _parts(shape) if part.parameters or part.multiplied)
    return Counts(shape, tuple(parts))


def _parts(shape: ModelShape) -> list[ModelPart]:
    width, layers, mixtures = shape.width, shape.layers, shape.mixture_layers
    matrices = shape.attention.matrices(width)
    projections = layers * sum(rows * columns for rows, columns in matrices)
    attention = projections + layers * shape.attention.vectors(width)
    dense_matrices, dense = _feed_forward(shape, shape.feed_forward_width)
    expert_matrices, expert = _feed_forward(shape, shape.expert_width)
    shared_matrices, shared = _feed_forward(
        shape, shape.shared_experts * shape.expert_width
    )
    chosen = shape.experts_per_token
    norms = (2 * layers + 1) * width * (1 + shape.norm_bias)
    convolutions = 2 * layers * shape.convolution_size * width
    table = shape.vocab_size * width
    ngrams = sum(rows * features for rows, features in shape.tables)
    ngram_project = width * sum(features for _, features in shape.tables)
    positions = shape.context_length * width * shape.learned_positions
    embedding = table + ngrams + ngram_project + positions
    return [
        ModelPart("embedding", embedding, embedding, ngram_project),
        ModelPart("attention", attention, attention, projections),
        ModelPart(
            "feed-forward",
            *[(layers - mixtures) * n for n in (dense, dense, dense_matrices)],
        ),
        ModelPart(
            "experts",
            mixtures * (shape.experts * expert + shared),
            mixtures * (chosen * expert + shared),
            mixtures * (chosen * expert_matrices + shared_matrices),
        ),
        ModelPart("router", *[mixtures * shape.experts * width] * 3),
        ModelPart("norms", norms, norms, 0),
        ModelPart("convolutions", convolutions, convolutions, 0),
        ModelPart("output", *[0 if shape.tied_embeddings else table] * 2, table),
    ]


def _feed_forward(shape: ModelShape, hidden_width: int) -> tuple[int, int]:
    """Return a feed-forward layer's number of weights, and its number of weights and
    biases.
    """
    wideners = 1 + shape.gated
    matrices = (wideners + 1) * shape.width * hidden_width
    biases = wideners * hidden_width + shape.width if shape.bias and hidden_width else 0
    return matrices, matrices + biases


SECONDS_PER_HOUR = 3600
MILLION = 1_000_000


def dollars_per_million_tokens(
    rate: float | int, dollars_per_hour: float | int
) -> float:
    """Return what a million tokens cost on a machine that is rented by the hour and
    always busy.

    Args:
        rate: Tokens per second, of all users together.
        dollars_per_hour: The machine's rent.

    Raises:
        ValueError: If the rate is not positive, or the rent is negative.

    >>> dollars_per_million_tokens(rate=1000, dollars_per_hour=3.6)
    1.0
    """
    _check(rate, "dollars_per_hour", dollars_per_hour)
    return dollars_per_hour / SECONDS_PER_HOUR / rate * MILLION


def watt_hours_per_million_tokens(rate: float | int, watts: float | int) -> float:
    """Return the energy of a million tokens in watt-hours.

    Args:
        rate: Tokens per second, of all users together.
        watts: The power that the machine draws meanwhile. Measure it at the socket: a
            virtual machine has no energy counter, and on a laptop only an administrator
            may read it.

    Raises:
        ValueError: If the rate is not positive, or the power is negative.

    >>> watt_hours_per_million_tokens(rate=100, watts=36)
    100.0
    """
    _check(rate, "watts", watts)
    return watts / SECONDS_PER_HOUR / rate * MILLION


def _check(rate: float | int, name: str, value: float | int) -> None:
    if not rate > 0:
        raise ValueError(f"rate must be above 0 tokens per second, got {rate}.")
    if not value >= 0:
        raise ValueError(f"{name} must be at least 0, got {value}.")
