"""The settings of a decoder, checked when they are made, so that a wrong one never
reaches the model.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from genai_tutorial.transformer.feed_forward import Activation
from genai_tutorial.transformer.norms import NormKind
from genai_tutorial.transformer.rotary_scaling import (
    RotaryScaling,
)

PositionKind = Literal["learned", "sinusoidal", "rotary", "alibi", "none"]


@dataclass(frozen=True)
class DecoderConfig:
    """What a decoder is made of. Every setting can be combined with every other.

    Attributes:
        vocab_size: The number of different tokens.
        context_length: The most tokens that the model sees at once.
        width: The number of features of a token's vector.
        layers: The number of blocks, one after the other.
        heads: The number of attention heads in a block; must divide `width`.
        feed_forward_width: The number of features inside the feed-forward layer; None
            means four times `width`.
        positions: `learned` vectors or `sinusoidal` waves that are added, `rotary`
            angles, `alibi` penalties for distance, or `none` (to see what is lost
            without).
        norm: `layer` for LayerNorm, `rms` for RMSNorm.
        activation: The nonlinearity of the feed-forward layer.
        bias: Whether linear layers and LayerNorms add a learned constant.
        query_key_norm: Whether queries and keys are normalised before they meet.
        neighbours: How many earlier positions a short convolution adds to what each
            layer reads; 0 for none.
        pair_features: The length of the vector that a table keeps for each pair of
            tokens in a row; 0 for no table.
        triple_features: The same for each triple of tokens.
        ngram_rows: The most rows that these tables have; where there are more n-grams,
            several share a row.
        tied_embeddings: Whether the output layer uses the embedding's own weights.
        zero_outputs: Whether each block's output layers, and an untied output layer of
            the model, start at zero.
        initial_std: The standard deviation of the first weights; None means
            1/sqrt(inputs) for each matrix.
        key_value_heads: How many heads keys and values have, each for a group of
            `heads`; None for one each.
        rotary_base: Sets how slowly the slowest pair of features turns with rotary
            positions.
        rotary_scaling: How rotary positions reach beyond the trained context; None for
            not at all.
        norm_epsilon: What norms add under the square root; None means 1e-5 for `layer`
            and 1e-6 for `rms`.
        sliding_window: How many tokens attention sees, the token itself included; None
            for all.
        experts: The number of experts that replace the feed-forward layer; 0 for none.
        experts_per_token: How many of them work on a token.
        shared_experts: How many further experts work on every token.
        expert_width: The number of features inside an expert; None for that of the
            feed-forward layer.

    Raises:
        ValueError: If a setting is out of range or two do not fit together.

    >>> DecoderConfig(vocab_size=65, width=100, heads=3)
    Traceback (most recent call last):
    ...
    ValueError: heads must divide width, so that every head gets as many features; got heads=3, width=100.
    """  # noqa: E501

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
    key_value_heads: int | None = None
    rotary_base: float | int = 10_000
    rotary_scaling: RotaryScaling | None = None
    norm_epsilon: float | None = None
    sliding_window: int | None = None
    experts: int = 0
    experts_per_token: int = 2
    shared_experts: int = 0
    expert_width: int | None = None

    def __post_init__(self):
        self._check_numbers()
        self._check_choices()
        self._check_pairs()

    def _check_numbers(self) -> None:
        sizes = (
            "vocab_size",
            "context_length",
            "width",
            "layers",
            "heads",
            "ngram_rows",
            "experts_per_token",
        )
        optional = (
            "feed_forward_width",
            "key_value_heads",
            "sliding_window",
            "expert_width",
        )
        for name in (
            *sizes,
            *(name for name in optional if getattr(self, name) is not None),
        ):
            if not _is_whole(getattr(self, name), 1):
                raise ValueError(
                    f"{name} must be a whole number of at least 1, got "
                    f"{getattr(self, name)!r}."
                )
        none_of = {
            "neighbours": "short convolution",
            "pair_features": "table",
            "triple_features": "table",
            "experts": "mixture of experts",
            "shared_experts": "shared expert",
        }
        for name, what in none_of.items():
            if not _is_whole(getattr(self, name), 0):
                raise ValueError(
                    f"{name} must be a whole number, 0 for no {what}; got "
                    f"{getattr(self, name)!r}."
                )
        defaults = {"initial_std": "1/sqrt(inputs)", "norm_epsilon": "1e-5 or 1e-6"}
        for name, default in defaults.items():
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(
                    f"{name} must be above 0, or None for {default}; got {value!r}."
                )
        if not self.rotary_base > 1:
            raise ValueError(
                "rotary_base must be above 1, so that later pairs turn slower; got "
                f"{self.rotary_base!r}."
            )

    def _check_choices(self) -> None:
        if not isinstance(self.rotary_scaling, RotaryScaling | None):
            raise ValueError(
                "rotary_scaling must be a LinearScaling, Llama3Scaling, YarnScaling or "
                f"None; got {self.rotary_scaling!r}."
            )
        choices = {
            "positions": PositionKind,
            "norm": NormKind,
            "activation": Activation,
        }
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise ValueError(
                    f"{name} must be one of {', '.join(get_args(kind))}; got "
                    f"{getattr(self, name)!r}."
                )

    def _check_pairs(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                "heads must divide width, so that every head gets as many features; "
                f"got heads={self.heads}, width={self.width}."
            )
        if self.heads % self.shared_heads:
            raise ValueError(
                "key_value_heads must divide heads, so that each serves as many; "
                f"got key_value_heads={self.key_value_heads}, heads={self.heads}."
            )
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(
                "rotary positions turn features in pairs, so width / heads must be "
                "even; "
                f"got width={self.width}, heads={self.heads}. Use fewer heads, or "
                "learned positions."
            )
        if self.rotary_scaling is not None and self.positions != "rotary":
            raise ValueError(
                "rotary_scaling needs rotary positions, got "
                f"positions={self.positions!r}."
            )
        if self.experts and self.experts_per_token > self.experts:
            raise ValueError(
                "experts_per_token must be at most experts; got "
                f"{self.experts_per_token} of {self.experts}."
            )

    @property
    def head_width(self) -> int:
        """The number of features that each head works with."""
        return self.width // self.heads

    @property
    def shared_heads(self) -> int:
        """The number of heads that keys and values have."""
        return self.heads if self.key_value_heads is None else self.key_value_heads

    @property
    def hidden_width(self) -> int:
        """The number of features inside the feed-forward layer."""
        return (
            4 * self.width
            if self.feed_forward_width is None
            else self.feed_forward_width
        )

    @property
    def expert_hidden_width(self) -> int:
        """The number of features inside each expert."""
        return self.hidden_width if self.expert_width is None else self.expert_width

    @classmethod
    def gpt2(
        cls,
        vocab_size: int = 50_257,
        context_length: int = 1024,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
    ) -> "DecoderConfig":
        """Return a GPT-2: learned positions, LayerNorm, GELU, biases, tied embeddings;
        the default sizes are the smallest's.

        Source: Radford et al., Language Models are Unsupervised Multitask Learners,
            section 2.3,
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
        cls,
        vocab_size: int,
        context_length: int = 64,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
    ) -> "DecoderConfig":
        """Return what small models train fastest with today: the defaults, named.

        Source: Jordan et al., modded-nanogpt,
        https://github.com/KellerJordan/modded-nanogpt
        """
        return cls(vocab_size, context_length, width, layers, heads)

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
        """Return a Llama: rotary positions, RMSNorm, SwiGLU, grouped queries, no
        biases; the default sizes are Llama 3 8B's.

        Source: Touvron et al., LLaMA, section 2.2, https://arxiv.org/abs/2302.13971;
            Grattafiori et al., The Llama 3 Herd of Models, table 3,
            https://arxiv.org/abs/2407.21783
        """
        return cls(
            vocab_size,
            context_length,
            width,
            layers,
            heads,
            feed_forward_width,
            activation="swiglu",
            query_key_norm=False,
            neighbours=0,
            tied_embeddings=tied_embeddings,
            zero_outputs=False,
            initial_std=0.02,
            key_value_heads=key_value_heads,
            rotary_base=rotary_base,
            rotary_scaling=rotary_scaling,
            norm_epsilon=norm_epsilon,
            sliding_window=sliding_window,
        )

    @classmethod
    def mixtral(
        cls,
        vocab_size: int = 32_000,
        context_length: int = 32_768,
        width: int = 4096,
        layers: int = 32,
        heads: int = 32,
        key_value_heads: int | None = 8,
        feed_forward_width: int = 14_336,
        experts: int = 8,
        experts_per_token: int = 2,
        *,
        rotary_base: float | int = 1_000_000,
        norm_epsilon: float = 1e-5,
        tied_embeddings: bool = False,
    ) -> "DecoderConfig":
        """Return a Mixtral: a Llama whose feed-forward layers are mixtures of experts;
        the default sizes are 8x7B's.

        Source: Jiang et al., Mixtral of Experts, table 1,
        https://arxiv.org/abs/2401.04088
        """
        dense = cls.llama(
            vocab_size,
            context_length,
            width,
            layers,
            heads,
            key_value_heads,
            feed_forward_width,
            rotary_base=rotary_base,
            norm_epsilon=norm_epsilon,
            tied_embeddings=tied_embeddings,
        )
        return replace(dense, experts=experts, experts_per_token=experts_per_token)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
