"""The settings of a decoder, and presets of well-known decoders."""

from dataclasses import dataclass, field

from .config_groups import (
    GROUPS,
    LONGEST_CONTEXT,
    AttentionConfig,
    FeedForwardConfig,
    InitializationConfig,
    LocalConfig,
    MixtureConfig,
    NormConfig,
    check_whole,
)
from .positions import RotaryScaling


@dataclass(frozen=True)
class DecoderConfig:
    """The settings of a decoder; by default the textbook Transformer.

    Attributes:
        vocab_size: The number of different tokens.
        context_length: The context window: the maximum number of tokens at once.
        width: The number of features of a token's vector.
        attention: Heads and positions.
        feed_forward: Width and activation function of the feed-forward layers.
        mixture: A mixture of experts in place of each feed-forward layer.
        local: Short convolutions and n-gram embeddings.
        norm: LayerNorm or RMSNorm.
        bias: Whether linear layers and LayerNorms add a learned constant.
        tied_embeddings: Whether the output layer shares the embedding's weights.

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
        check_whole(self, 1, "vocab_size", "context_length", "width", "layers")
        if self.context_length > LONGEST_CONTEXT:
            raise ValueError(
                f"context_length must be at most {LONGEST_CONTEXT:,} tokens, because "
                f"positions are computed in advance; got {self.context_length:,}."
            )
        for name, group in GROUPS.items():
            value = getattr(self, name)
            if not isinstance(value, group) and (name, value) != ("mixture", None):
                raise ValueError(
                    f"{name} must be a group of settings, {group.__name__}(...); got "
                    f"{value!r}."
                )
        heads = self.attention.heads
        if self.width % heads:
            raise ValueError(
                "heads must divide width, so that all heads get the same number of "
                f"features; got heads={heads}, width={self.width}."
            )
        if self.attention.positions == "rotary" and self.head_width % 2:
            raise ValueError(
                "rotary positions rotate features in pairs, so width / heads must be "
                f"even; got width={self.width}, heads={heads}. Use fewer heads, or "
                "learned positions."
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
        """Return the sizes of a `KVCache`: layers, rows, key and value heads, length
        and features per head.

        Args:
            length: The maximum number of tokens per row; None for the context length.
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
            for name, group in GROUPS.items()
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
        """Return GPT-2's settings: the textbook Transformer with tied embeddings; the
        default sizes are those of the smallest GPT-2.

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
        attention, no biases; the default sizes are those of Llama 3 8B.

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
                positions="rotary",
                rotary_base=rotary_base,
                rotary_scaling=rotary_scaling,
                sliding_window=sliding_window,
            ),
            feed_forward=FeedForwardConfig(feed_forward_width, "swiglu"),
            norm=NormConfig("rms", norm_epsilon),
            bias=False,
            tied_embeddings=tied_embeddings,
        )
