"""The groups of a decoder's settings: each is checked when it is created."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from .layers import Activation, NormKind
from .positions import RotaryScaling

PositionKind = Literal["learned", "sinusoidal", "rotary", "alibi", "none"]

LONGEST_CONTEXT = 2**20  # rotary angles take half a kilobyte per position


@dataclass(frozen=True)
class AttentionConfig:
    """Heads and positional encoding of the attention layers.

    Attributes:
        heads: The number of attention heads; must divide the decoder's width.
        key_value_heads: The number of key and value heads, each shared by a group of
            query heads. None becomes `heads`, so set both when you replace `heads`.
        positions: `learned` or `sinusoidal` vectors added to the embedding, `rotary`
            angles, `alibi` distance penalties, or `none`.
        rotary_base: The base of the rotary frequencies; the larger it is, the slower
            the slowest pair of features rotates.
        rotary_scaling: Adapts rotary positions to texts longer than those in training.
        sliding_window: The number of tokens that each token attends to, itself
            included; None for all.
        query_key_norm: Whether queries and keys are normalized.
    """

    heads: int = 4
    key_value_heads: int | None = None
    positions: PositionKind = "learned"
    rotary_base: float | int = 10_000
    rotary_scaling: RotaryScaling | None = None
    sliding_window: int | None = None
    query_key_norm: bool = False

    def __post_init__(self):
        if self.key_value_heads is None:
            object.__setattr__(self, "key_value_heads", self.heads)
        check_whole(self, 1, "heads", "key_value_heads")
        check_whole(self, 1, "sliding_window", optional=True)
        _check_choice(self, "positions", PositionKind)
        if self.heads % self.key_value_heads:
            raise ValueError(
                "key_value_heads must divide heads, so that the groups are equally "
                f"large; got key_value_heads={self.key_value_heads}, "
                f"heads={self.heads}."
            )
        if not self.rotary_base > 1:
            raise ValueError(
                "rotary_base must be above 1, so that later pairs rotate slower; got "
                f"{self.rotary_base!r}."
            )
        if not isinstance(self.rotary_scaling, RotaryScaling | None):
            raise ValueError(
                "rotary_scaling must be a scaling, such as YarnScaling(4), or None; "
                f"got {self.rotary_scaling!r}."
            )
        if self.rotary_scaling is not None and self.positions != "rotary":
            raise ValueError(
                "rotary_scaling needs rotary positions, got "
                f"positions={self.positions!r}."
            )


@dataclass(frozen=True)
class FeedForwardConfig:
    """Width and activation function of the feed-forward layers.

    Attributes:
        width: The number of hidden features; None for four times the decoder's width.
    """

    width: int | None = None
    activation: Activation = "gelu"

    def __post_init__(self):
        check_whole(self, 1, "width", optional=True)
        _check_choice(self, "activation", Activation)


@dataclass(frozen=True)
class MixtureConfig:
    """Sizes of a mixture of experts, which replaces each feed-forward layer.

    Attributes:
        experts: The number of experts that the router chooses from.
        shared_experts: The number of further experts that process every token.
        expert_width: The number of hidden features of an expert; None for that of the
            feed-forward layer.
    """

    experts: int = 8
    experts_per_token: int = 2
    shared_experts: int = 0
    expert_width: int | None = None

    def __post_init__(self):
        check_whole(self, 1, "experts", "experts_per_token")
        check_whole(self, 0, "shared_experts")
        check_whole(self, 1, "expert_width", optional=True)
        if self.experts_per_token > self.experts:
            raise ValueError(
                "experts_per_token must be at most experts; got "
                f"{self.experts_per_token} of {self.experts}."
            )


@dataclass(frozen=True)
class LocalConfig:
    """Local layers that read nearby tokens without attention: short convolutions and
    n-gram embeddings, both off by default.

    Attributes:
        convolution_size: The number of earlier positions that a short convolution adds
            to each layer's input; 0 for no convolution.
        pair_features: The number of features in the embedding of each pair of
            neighbouring tokens; 0 for no table.
        triple_features: The same for each triple of tokens.
        ngram_rows: The maximum number of rows per table; if there are more n-grams,
            several share a row.
    """

    convolution_size: int = 0
    pair_features: int = 0
    triple_features: int = 0
    ngram_rows: int = 8192

    def __post_init__(self):
        check_whole(self, 1, "ngram_rows")
        check_whole(self, 0, "convolution_size", "pair_features", "triple_features")


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
        std: The standard deviation of the weight matrices; None for 1/sqrt(inputs) of
            each matrix.
        zero_outputs: Whether each block's output layers, and an untied output layer of
            the model, are initialized to zero.
    """

    std: float | None = 0.02
    zero_outputs: bool = False

    def __post_init__(self):
        _check_positive(self, "std")


GROUPS = {
    "attention": AttentionConfig,
    "feed_forward": FeedForwardConfig,
    "mixture": MixtureConfig,
    "local": LocalConfig,
    "norm": NormConfig,
    "initialization": InitializationConfig,
}


def check_whole(
    config: object, least: int, *names: str, optional: bool = False
) -> None:
    for name in names:
        value = getattr(config, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        holds = (whole and value >= least) or (optional and value is None)
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
