"""The settings of a decoder, in groups that are checked when they are created, and
presets of well-known decoders.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from .layers import Activation, NormKind
from .positions import RotaryScaling

PositionKind = Literal["learned", "sinusoidal", "rotary", "alibi", "none"]

_LONGEST_CONTEXT = 2**20  # rotary angles take half a kilobyte per position


@dataclass(frozen=True)
class AttentionConfig:
    """Heads and positional encoding of the attention layers.

    Attributes:
        heads: Must divide the decoder's width.
        key_value_heads: Each is shared by a group of query heads. None becomes `heads`,
            so set both when you replace `heads`.
        positions: `learned` or `sinusoidal` vectors added to the embedding, `rotary`
            angles, `alibi` distance penalties, or `none`.
        rotary_base: The base of the rotary frequencies; see `rotary_frequencies`.
        rotary_scaling: Adapts rotary positions to texts longer than those in training.
        sliding_window: The number of tokens that each token attends to, itself
            included; None for all.
        query_key_norm: If true, queries and keys are normalized.
        causal: If false, tokens attend to later ones too, and no cache is possible.
    """

    heads: int = 4
    key_value_heads: int | None = None
    positions: PositionKind = "learned"
    rotary_base: float | int = 10_000
    rotary_scaling: RotaryScaling | None = None
    sliding_window: int | None = None
    query_key_norm: bool = False
    causal: bool = True

    def __post_init__(self):
        if self.key_value_heads is None:
            object.__setattr__(self, "key_value_heads", self.heads)
        _check_whole(self, 1, "heads", "key_value_heads", "sliding_window")
        _check_choice(self, "positions", PositionKind)
        if self.heads % self.key_value_heads:
            raise ValueError(
                "key_value_heads must divide heads, so that the groups are equally "
                f"large; got key_value_heads={self.key_value_heads}, "
                f"heads={self.heads}."
            )
        _require(self, "rotary_base", self.rotary_base > 1, "above 1")
        scaling = self.rotary_scaling
        scales = isinstance(scaling, RotaryScaling) and self.positions == "rotary"
        if scaling is not None and not scales:
            raise ValueError(
                "rotary_scaling must be a scaling, such as YarnScaling(4), and needs "
                f"rotary positions; got {scaling!r} and positions={self.positions!r}."
            )
        both = self.sliding_window is None and self.positions != "alibi"
        _require(self, "causal", self.causal or both, "true with a window or ALiBi")


@dataclass(frozen=True)
class FeedForwardConfig:
    """Width and activation function of the feed-forward layers.

    Attributes:
        width: The number of hidden features; None for four times the decoder's width.
    """

    width: int | None = None
    activation: Activation = "gelu"

    def __post_init__(self):
        _check_whole(self, 1, "width")
        _check_choice(self, "activation", Activation)


@dataclass(frozen=True)
class MixtureConfig:
    """Sizes of a mixture of experts, which replaces each feed-forward layer.

    Attributes:
        experts: The number of experts that the router chooses from.
        shared_experts: The number of further experts that process every token.
        expert_width: The number of hidden features of an expert; None for the
            feed-forward layer's number.
    """

    experts: int = 8
    experts_per_token: int = 2
    shared_experts: int = 0
    expert_width: int | None = None

    def __post_init__(self):
        _check_whole(self, 1, "experts", "experts_per_token", "expert_width")
        _check_whole(self, 0, "shared_experts")


@dataclass(frozen=True)
class LocalConfig:
    """Short convolutions and n-gram embeddings, both off by default.

    Attributes:
        convolution_size: The number of earlier positions that a short convolution adds
            to each layer's input; 0 for no convolution.
        pair_features: The number of features in the embedding of each pair of
            neighbouring tokens; 0 for no table.
        triple_features: The same for each triple of tokens.
        ngram_rows: The maximum number of rows per table.
    """

    convolution_size: int = 0
    pair_features: int = 0
    triple_features: int = 0
    ngram_rows: int = 8192

    def __post_init__(self):
        _check_whole(self, 1, "ngram_rows")
        _check_whole(self, 0, "convolution_size", "pair_features", "triple_features")


@dataclass(frozen=True)
class NormConfig:
    """The kind of normalization.

    Attributes:
        kind: `layer` for LayerNorm, `rms` for RMSNorm.
        epsilon: Added under the square root; None for 1e-5 with `layer` and 1e-6 with
            `rms`.
    """

    kind: NormKind = "layer"
    epsilon: float | None = None

    def __post_init__(self):
        _check_choice(self, "kind", NormKind)
        _check_positive(self, "epsilon")


@dataclass(frozen=True)
class InitializationConfig:
    """Initialization of the weights.

    Attributes:
        std: Standard deviation of the matrices; None for 1/sqrt(inputs) of each.
        zero_outputs: If true, each block's output layers, and an untied output layer of
            the model, are initialized to zero.
    """

    std: float | None = 0.02
    zero_outputs: bool = False

    def __post_init__(self):
        _check_positive(self, "std")


_GROUPS = {
    "attention": AttentionConfig,
    "feed_forward": FeedForwardConfig,
    "mixture": MixtureConfig,
    "local": LocalConfig,
    "norm": NormConfig,
    "initialization": InitializationConfig,
}


@dataclass(frozen=True)
class DecoderConfig:
    """The settings of a decoder; by default the textbook Transformer.

    Attributes:
        context_length: The context window: the maximum number of tokens at once.
        width: The number of features of a token's vector.
        mixture: A mixture of experts instead of each feed-forward layer.
        bias: If true, linear layers and LayerNorms add a learned constant.
        tied_embeddings: If true, the output layer shares the embedding's weights.

    Raises:
        ValueError: If a setting is out of range or two do not fit together.

    >>> DecoderConfig(vocab_size=65, width=100, attention=AttentionConfig(heads=3))
    Traceback (most recent call last):
    ...
    ValueError: heads must divide width, so that all heads get the same number of features; got heads=3, width=100.
    """  # noqa: E501

    vocab_size: int
    context_length: int = 64
    width: int = 128
    layers: int = 4
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    feed_forward: FeedForwardConfig = field(default_factory=FeedForwardConfig)
    mixture: MixtureConfig | None = None
    local: LocalConfig = field(default_factory=LocalConfig)
    norm: NormConfig = field(default_factory=NormConfig)
    bias: bool = True
    tied_embeddings: bool = False
    initialization: InitializationConfig = field(default_factory=InitializationConfig)

    def __post_init__(self):
        _check_whole(self, 1, "vocab_size", "context_length", "width", "layers")
        fits = self.context_length <= _LONGEST_CONTEXT
        _require(self, "context_length", fits, f"at most {_LONGEST_CONTEXT} tokens")
        for name, group in _GROUPS.items():
            value = getattr(self, name)
            holds = isinstance(value, group) or (name, value) == ("mixture", None)
            _require(self, name, holds, f"a group of settings, {group.__name__}(...)")
        heads, width = self.attention.heads, self.width
        if width % heads:
            raise ValueError(
                "heads must divide width, so that all heads get the same number of "
                f"features; got {heads=}, {width=}."
            )
        if self.attention.positions == "rotary" and self.head_width % 2:
            raise ValueError(
                "rotary positions rotate features in pairs, so width / heads must be "
                f"even; got {width=}, {heads=}."
            )

    @property
    def head_width(self) -> int:
        """The number of features of each attention head."""
        return self.width // self.attention.heads

    @property
    def hidden_width(self) -> int:
        """The number of features inside the feed-forward layer."""
        width = self.feed_forward.width
        return 4 * self.width if width is None else width

    @property
    def expert_hidden_width(self) -> int:
        """The number of features inside each expert."""
        width = None if self.mixture is None else self.mixture.expert_width
        return self.hidden_width if width is None else width

    def cache_sizes(
        self, rows: int = 1, length: int | None = None
    ) -> tuple[int, int, int, int, int]:
        """Return the sizes of a `KVCache`: layers, rows, key and value heads, tokens
        per row (None for the context length) and features per head.
        """
        length = self.context_length if length is None else length
        if rows < 1 or not 1 <= length <= self.context_length:
            raise ValueError(
                "A cache has at least one row and holds from 1 to context_length="
                f"{self.context_length} tokens per row; got {rows=}, {length=}."
            )
        heads = self.attention.key_value_heads
        return self.layers, rows, heads, length, self.head_width

    @classmethod
    def from_dict(cls, settings: dict) -> "DecoderConfig":
        """Build a config from the output of `dataclasses.asdict`, as in a model card.

        >>> from dataclasses import asdict
        >>> config = DecoderConfig.llama()
        >>> DecoderConfig.from_dict(asdict(config)) == config
        True
        """
        built = {
            name: group(**settings[name])
            for name, group in _GROUPS.items()
            if settings.get(name) is not None
        }
        return cls(**settings | built)

    @classmethod
    def gpt2(
        cls,
        vocab_size: int = 50_257,
        context_length: int = 1024,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
    ) -> "DecoderConfig":
        """Return the settings of GPT-2, by default the smallest one: the textbook
        Transformer with tied embeddings.

        Source: Radford et al., Language Models are Unsupervised Multitask Learners,
            section 2.3,
            https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
        """
        return cls(
            vocab_size,
            context_length,
            width,
            layers,
            attention=AttentionConfig(heads),
            feed_forward=FeedForwardConfig(activation="gelu_tanh"),
            tied_embeddings=True,
        )

    @classmethod
    def fast(
        cls,
        vocab_size: int,
        context_length: int = 64,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        *,
        convolution_size: int = 2,
        pair_features: int = 0,
        triple_features: int = 0,
    ) -> "DecoderConfig":
        """Return settings that make small models train fast: rotary positions, RMSNorm,
        normalized queries and keys, squared ReLU, output layers initialized to zero,
        and short convolutions.

        Source: Jordan et al., modded-nanogpt,
        https://github.com/KellerJordan/modded-nanogpt
        """
        return cls(
            vocab_size,
            context_length,
            width,
            layers,
            attention=AttentionConfig(heads, positions="rotary", query_key_norm=True),
            feed_forward=FeedForwardConfig(activation="squared_relu"),
            local=LocalConfig(convolution_size, pair_features, triple_features),
            norm=NormConfig("rms"),
            bias=False,
            initialization=InitializationConfig(std=None, zero_outputs=True),
        )

    @classmethod
    def llama(
        cls,
        vocab_size: int = 128_256,
        context_length: int = 8192,
        width: int = 4096,
        layers: int = 32,
        heads: int = 32,
        key_value_heads: int | None = 8,
        feed_forward_width: int = 14_336,
        *,
        rotary_base: float | int = 500_000,
        rotary_scaling: RotaryScaling | None = None,
        norm_epsilon: float = 1e-5,
        sliding_window: int | None = None,
        tied_embeddings: bool = False,
    ) -> "DecoderConfig":
        """Return a Llama's settings: rotary positions, RMSNorm, SwiGLU, grouped-query
        attention, no biases; by default Llama 3 8B's.

        Source: Touvron et al., LLaMA, section 2.2, https://arxiv.org/abs/2302.13971;
            Grattafiori et al., The Llama 3 Herd of Models, table 3,
            https://arxiv.org/abs/2407.21783
        """
        return cls(
            vocab_size,
            context_length,
            width,
            layers,
            attention=AttentionConfig(
                heads,
                key_value_heads,
                "rotary",
                rotary_base,
                rotary_scaling,
                sliding_window,
            ),
            feed_forward=FeedForwardConfig(feed_forward_width, "swiglu"),
            norm=NormConfig("rms", norm_epsilon),
            bias=False,
            tied_embeddings=tied_embeddings,
        )


def _check_whole(config: object, least: int, *names: str) -> None:
    for name in names:
        value, default = getattr(config, name), vars(type(config)).get(name, least)
        whole = isinstance(value, int) and not isinstance(value, bool)
        holds = (whole and value >= least) or (value is None and default is None)
        _require(config, name, holds, f"a whole number of at least {least}")


def _check_positive(config: object, name: str) -> None:
    value = getattr(config, name)
    holds = value is None or value > 0
    _require(config, name, holds, "above 0, or None for its default")


def _check_choice(config: object, name: str, choices: Any) -> None:
    known = get_args(choices)
    _require(config, name, getattr(config, name) in known, f"one of {', '.join(known)}")


def _require(config: object, name: str, holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(
            f"{type(config).__name__}.{name} must be {what}, got "
            f"{getattr(config, name)!r}."
        )
