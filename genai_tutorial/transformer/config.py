"""The settings of a decoder, checked when they are made, so that a wrong one never reaches the model."""

from dataclasses import dataclass
from typing import Literal

from genai_tutorial.transformer.feed_forward import Activation
from genai_tutorial.transformer.norms import NormKind

PositionKind = Literal["learned", "rotary", "none"]


@dataclass(frozen=True)
class DecoderConfig:
    """What a decoder is made of. Every setting can be combined with every other.

    Attributes:
        vocab_size: The number of different tokens.
        context_length: The most tokens that the model sees at once.
        width: The number of features of a token's vector.
        layers: The number of blocks, one after the other.
        heads: The number of attention heads in a block; must divide `width`.
        feed_forward_width: The number of features inside the feed-forward layer; None means four times `width`.
        positions: `learned` vectors that are added, `rotary` angles, or `none` (to see what is lost without).
        norm: `layer` for LayerNorm, `rms` for RMSNorm.
        activation: The nonlinearity of the feed-forward layer.
        bias: Whether linear layers and LayerNorms add a learned constant.
        query_key_norm: Whether queries and keys are normalised before they meet.
        neighbours: How many earlier positions a short convolution adds to what each layer reads; 0 for none.
        pair_features: The length of the vector that a table keeps for each pair of tokens in a row; 0 for no table.
        triple_features: The same for each triple of tokens.
        ngram_rows: The most rows that these tables have; where there are more n-grams, several share a row.
        tied_embeddings: Whether the output layer uses the embedding's own weights.
        zero_outputs: Whether each block's output layers, and an untied output layer of the model, start at zero.
        initial_std: The standard deviation of the first weights; None means 1/sqrt(inputs) for each matrix.

    Raises:
        ValueError: If a setting is out of range or two do not fit together.

    >>> DecoderConfig(vocab_size=65, width=100, heads=3)
    Traceback (most recent call last):
    ...
    ValueError: heads must divide width, so that every head gets as many features; got heads=3, width=100.
    """

    vocab_size: int
    context_length: int = 64
    width: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward_width: int | None = None
    positions: PositionKind = "rotary"
    norm: NormKind = "rms"
    activation: Activation = "squared_relu"
    bias: bool = False
    query_key_norm: bool = True
    neighbours: int = 2
    pair_features: int = 0
    triple_features: int = 0
    ngram_rows: int = 8192
    tied_embeddings: bool = False
    zero_outputs: bool = True
    initial_std: float | None = None

    def __post_init__(self):
        sizes = ("vocab_size", "context_length", "width", "layers", "heads", "feed_forward_width", "ngram_rows")
        for name in sizes:
            value = getattr(self, name)
            if value is None and name == "feed_forward_width":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
        if not isinstance(self.neighbours, int) or self.neighbours < 0:
            raise ValueError(f"neighbours must be a whole number, 0 for no short convolution; got {self.neighbours!r}.")
        for name in ("pair_features", "triple_features"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} must be a whole number, 0 for no table; got {value!r}.")
        choices = {
            "positions": ("learned", "rotary", "none"),
            "norm": ("layer", "rms"),
            "activation": ("gelu", "gelu_tanh", "squared_relu"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}.")
        if self.width % self.heads:
            raise ValueError(
                "heads must divide width, so that every head gets as many features; "
                f"got heads={self.heads}, width={self.width}."
            )
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(
                "rotary positions turn features in pairs, so width / heads must be even; "
                f"got width={self.width}, heads={self.heads}. Use fewer heads, or learned positions."
            )
        if self.initial_std is not None and not self.initial_std > 0:
            raise ValueError(f"initial_std must be above 0, or None for 1/sqrt(inputs); got {self.initial_std!r}.")

    @property
    def head_width(self) -> int:
        """The number of features that each head works with."""
        return self.width // self.heads

    @property
    def hidden_width(self) -> int:
        """The number of features inside the feed-forward layer."""
        return 4 * self.width if self.feed_forward_width is None else self.feed_forward_width

    @classmethod
    def gpt2(
        cls, vocab_size: int = 50_257, context_length: int = 1024, width: int = 768, layers: int = 12, heads: int = 12
    ) -> "DecoderConfig":
        """A GPT-2: learned positions, LayerNorm, GELU, biases, tied embeddings; the default sizes are the smallest's.

        Source: Radford et al., Language Models are Unsupervised Multitask Learners, section 2.3,
            https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
        """
        return cls(
            vocab_size,
            context_length,
            width,
            layers,
            heads,
            positions="learned",
            norm="layer",
            activation="gelu_tanh",
            bias=True,
            query_key_norm=False,
            neighbours=0,
            tied_embeddings=True,
            zero_outputs=False,
            initial_std=0.02,
        )

    @classmethod
    def modern(
        cls, vocab_size: int, context_length: int = 64, width: int = 128, layers: int = 4, heads: int = 4
    ) -> "DecoderConfig":
        """What small models train fastest with today: the defaults, named.

        Source: Jordan et al., modded-nanogpt, https://github.com/KellerJordan/modded-nanogpt
        """
        return cls(vocab_size, context_length, width, layers, heads)
