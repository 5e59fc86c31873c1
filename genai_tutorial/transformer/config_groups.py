"""Groups of decoder settings, each validated when it is created."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from .feed_forward import Activation
from .norms import NormKind
from .rotary_scaling import RotaryScaling

PositionKind = Literal["learned", "sinusoidal", "rotary", "alibi", "none"]


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

    Raises:
        ValueError: If a setting is out of range or two do not fit together.
    """

    heads: int = 4
    key_value_heads: int | None = None
    positions: PositionKind = "learned"
    rotary_base: float | int = 10_000
    rotary_scaling: RotaryScaling | None = None
    sliding_window: int | None = None
    query_key_norm: bool = False

    def __post_init__(self):
        check_sizes(self, "heads")
        check_optional_sizes(self, "key_value_heads", "sliding_window")
        check_choice(self, "positions", PositionKind)
        if self.key_value_heads is None:
            object.__setattr__(self, "key_value_heads", self.heads)
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
            kinds = ", a ".join(kind.__name__ for kind in get_args(RotaryScaling))
            raise ValueError(
                f"rotary_scaling must be a {kinds} or None; got "
                f"{self.rotary_scaling!r}."
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
        check_optional_sizes(self, "width")
        check_choice(self, "activation", Activation)


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
        check_sizes(self, "experts", "experts_per_token")
        check_optional_sizes(self, "expert_width")
        check_count(self, "shared_experts", "shared expert")
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
        check_sizes(self, "ngram_rows")
        check_count(self, "convolution_size", "short convolution")
        check_count(self, "pair_features", "table")
        check_count(self, "triple_features", "table")


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
        check_choice(self, "kind", NormKind)
        check_positive(self, "epsilon", "1e-5 or 1e-6")


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
        check_positive(self, "std", "1/sqrt(inputs)")


def check_sizes(config: object, *names: str) -> None:
    """Check that settings are whole numbers of at least 1."""
    for name in names:
        value = getattr(config, name)
        if not _is_whole(value, least=1):
            raise ValueError(
                f"{_full(config, name)} must be a whole number of at least 1, got "
                f"{value!r}."
            )


def check_optional_sizes(config: object, *names: str) -> None:
    """Check that settings are whole numbers of at least 1, or None."""
    check_sizes(config, *(name for name in names if getattr(config, name) is not None))


def check_count(config: object, name: str, what: str) -> None:
    """Check that a setting is a whole number of at least 0."""
    value = getattr(config, name)
    if not _is_whole(value, least=0):
        raise ValueError(
            f"{_full(config, name)} must be a whole number, 0 for no {what}; got "
            f"{value!r}."
        )


def check_positive(config: object, name: str, default: str) -> None:
    """Check that a setting is above 0, or None for its default."""
    value = getattr(config, name)
    if value is not None and not value > 0:
        raise ValueError(
            f"{_full(config, name)} must be above 0, or None for {default}; got "
            f"{value!r}."
        )


def check_choice(config: object, name: str, choices: Any) -> None:
    """Check that a setting is one of the words of a `Literal`."""
    value = getattr(config, name)
    if value not in get_args(choices):
        raise ValueError(
            f"{_full(config, name)} must be one of {', '.join(get_args(choices))}; "
            f"got {value!r}."
        )


def _full(config: object, name: str) -> str:
    return f"{type(config).__name__}.{name}"


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
