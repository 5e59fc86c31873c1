"""Shapes: the few numbers in a model's settings that decide how large it is and what it
costs to run.

`ModelShape` holds them for any decoder, the book's own (`shape_of`) or a published one
(`public_models.py`), whether or not the package can build it. `counting.py` counts from
there.
"""

from dataclasses import dataclass

from genai_tutorial.transformer.config import DecoderConfig


@dataclass(frozen=True)
class GroupedAttention:
    """The size of an attention layer in which several query heads may share a key and a
    value head.

    Attributes:
        heads: The number of query heads.
        key_value_heads: The number of key and value heads; as many as `heads` where
            nothing is shared.
        head_width: The number of features of a head.
        bias: Whether queries, keys, values and output add a learned constant.
        query_key_norm: Whether queries and keys have a norm with one gain for each
            feature.
    """

    heads: int
    key_value_heads: int
    head_width: int
    bias: bool = False
    query_key_norm: bool = False

    def matrices(self, width: int) -> list[tuple[int, int]]:
        """Return the rows and columns of its matrices: query, key, value, output."""
        queries, keys = (
            self.heads * self.head_width,
            self.key_value_heads * self.head_width,
        )
        return [(width, queries), (width, keys), (width, keys), (queries, width)]

    def vectors(self, width: int) -> int:
        """Return how many numbers its biases and gains have."""
        biases = sum(columns for _, columns in self.matrices(width)) if self.bias else 0
        return biases + (2 * self.head_width if self.query_key_norm else 0)

    @property
    def mixed_width(self) -> int:
        """How many products a query takes with one position: its features times the
        keys', its weight times a value.
        """
        return 2 * self.heads * self.head_width

    @property
    def cached_width(self) -> int:
        """How many numbers a cache keeps of one position: a key and a value for each of
        their heads.
        """
        return 2 * self.key_value_heads * self.head_width


@dataclass(frozen=True)
class LatentAttention:
    """The size of DeepSeek's multi-head latent attention: keys and values are made from
    one short, cached vector.

    Attributes:
        heads: The number of heads.
        query_rank: The length of the vector that queries are made from.
        key_value_rank: The length of the vector that keys and values are made from.
        plain_width: The features of a query that are not rotated.
        rotary_width: The features that are; their keys are made directly, and all heads
            share them.
        value_width: The number of features of a value.

    Source: DeepSeek-AI, DeepSeek-V2, section 2.1 and table of formulas in appendix C,
    https://arxiv.org/abs/2405.04434
    """

    heads: int
    query_rank: int
    key_value_rank: int
    plain_width: int
    rotary_width: int
    value_width: int

    def matrices(self, width: int) -> list[tuple[int, int]]:
        """Return the rows and columns of its matrices: queries down and up, keys and
        values down and up, output.
        """
        return [
            (width, self.query_rank),
            (self.query_rank, self.heads * (self.plain_width + self.rotary_width)),
            (width, self.key_value_rank + self.rotary_width),
            (self.key_value_rank, self.heads * (self.plain_width + self.value_width)),
            (self.heads * self.value_width, width),
        ]

    def vectors(self, width: int) -> int:
        """Return the numbers of its two norms, which stand between down and up."""
        return self.query_rank + self.key_value_rank

    @property
    def mixed_width(self) -> int:
        """How many products a query takes with one position: its features times the
        keys', its weight times a value.
        """
        return self.heads * (self.plain_width + self.rotary_width + self.value_width)

    @property
    def cached_width(self) -> int:
        """How many numbers a cache keeps of one position: the short vector and the
        shared rotated key.
        """
        return self.key_value_rank + self.rotary_width


@dataclass(frozen=True)
class ModelShape:
    """What decides a decoder's size.

    Attributes:
        vocab_size: The number of different tokens.
        context_length: The most tokens that it sees at once.
        width: The number of features of a token's vector.
        layers: The number of blocks.
        attention: The size of a block's attention.
        feed_forward_width: The features inside a dense feed-forward layer.
        gated: Whether a feed-forward layer has a third matrix, as SwiGLU does.
        bias: Whether feed-forward layers add a learned constant.
        norm_bias: Whether norms do.
        learned_positions: Whether each position of the context has a learned vector.
        tied_embeddings: Whether the output layer uses the embedding's own weights.
        window: How far back attention looks; None for all the way.
        experts: How many experts a router chooses from; 0 for dense layers only.
        experts_per_token: How many it chooses for each token.
        shared_experts: How many more every token uses.
        expert_width: The features inside an expert.
        dense_layers: How many of the first blocks have a dense layer all the same.
        convolution_size: How many vectors a short convolution has; each block has two
            convolutions.
        tables: The rows and features of each table of n-grams.
    """

    vocab_size: int
    context_length: int
    width: int
    layers: int
    attention: GroupedAttention | LatentAttention
    feed_forward_width: int
    gated: bool = True
    bias: bool = False
    norm_bias: bool = False
    learned_positions: bool = False
    tied_embeddings: bool = False
    window: int | None = None
    experts: int = 0
    experts_per_token: int = 0
    shared_experts: int = 0
    expert_width: int = 0
    dense_layers: int = 0
    convolution_size: int = 0
    tables: tuple[tuple[int, int], ...] = ()

    @property
    def mixture_layers(self) -> int:
        """The number of blocks that have experts."""
        return self.layers - self.dense_layers if self.experts else 0


def shape_of(config: DecoderConfig) -> ModelShape:
    """Return the shape of the decoder that these settings make.

    >>> shape_of(DecoderConfig.fast(vocab_size=65)).attention
    GroupedAttention(heads=4, key_value_heads=4, head_width=32, bias=False, query_key_norm=True)
    """  # noqa: E501
    attention, mixture, local = config.attention, config.mixture, config.local
    features = {2: local.pair_features, 3: local.triple_features}
    return ModelShape(
        vocab_size=config.vocab_size,
        context_length=config.context_length,
        width=config.width,
        layers=config.layers,
        attention=GroupedAttention(
            heads=attention.heads,
            key_value_heads=attention.key_value_heads,
            head_width=config.head_width,
            bias=config.bias,
            query_key_norm=attention.query_key_norm,
        ),
        feed_forward_width=config.hidden_width,
        gated=config.feed_forward.activation == "swiglu",
        bias=config.bias,
        norm_bias=config.bias and config.norm.kind == "layer",
        learned_positions=attention.positions == "learned",
        tied_embeddings=config.tied_embeddings,
        window=attention.sliding_window,
        experts=mixture.experts if mixture else 0,
        experts_per_token=mixture.experts_per_token if mixture else 0,
        shared_experts=mixture.shared_experts if mixture else 0,
        expert_width=config.expert_hidden_width if mixture else 0,
        convolution_size=local.convolution_size,
        tables=tuple(
            (min(config.vocab_size**n, local.ngram_rows), size)
            for n, size in features.items()
            if size
        ),
    )
