"""Model shapes: the few settings that determine a model's size and its cost.

`ModelShape` holds them for any decoder, the book's own (`shape_of`) or a published one
(at the end), whether or not the package can build it. `counting.py` computes the costs
from them.
"""

from dataclasses import dataclass

from genai_tutorial.transformer import DecoderConfig


@dataclass(frozen=True)
class GroupedAttention:
    """The size of an attention layer in which several query heads may share a key and a
    value head.

    Attributes:
        head_width: The number of features per head.
        bias: True if the four linear layers have a bias.
        query_key_norm: True if queries and keys are normalized, with one gain per
            feature.
    """

    heads: int
    key_value_heads: int
    head_width: int
    bias: bool = False
    query_key_norm: bool = False

    def matrices(self, width: int) -> list[tuple[int, int]]:
        """Return the sizes of its matrices: queries, keys, values, output."""
        queries = self.heads * self.head_width
        keys = self.key_value_heads * self.head_width
        return [(width, queries), (width, keys), (width, keys), (queries, width)]

    def vectors(self, width: int) -> int:
        """Return the number of parameters in its biases and gains."""
        biases = sum(columns for _, columns in self.matrices(width)) if self.bias else 0
        return biases + (2 * self.head_width if self.query_key_norm else 0)

    @property
    def products_per_position(self) -> int:
        """The number of multiplications per query and position: of the query with the
        key's features, and of the attention weight with the value's features.
        """
        return 2 * self.heads * self.head_width

    @property
    def cached_width(self) -> int:
        """The number of cached values per position: a key and a value per head."""
        return 2 * self.key_value_heads * self.head_width


@dataclass(frozen=True)
class LatentAttention:
    """The size of DeepSeek's multi-head latent attention (MLA): keys and values are
    computed from one short, cached vector.

    Attributes:
        query_rank: The length of the latent vector that queries are computed from.
        key_value_rank: The length of the latent vector that keys and values are
            computed from.
        unrotated_width: The number of features of a query without rotary positions.
        rotary_width: The number of features with rotary positions; their keys are
            computed directly and shared by all heads.

    Source: DeepSeek-AI, DeepSeek-V2, section 2.1 and table of formulas in appendix C,
    https://arxiv.org/abs/2405.04434
    """

    heads: int
    query_rank: int
    key_value_rank: int
    unrotated_width: int
    rotary_width: int
    value_width: int

    def matrices(self, width: int) -> list[tuple[int, int]]:
        """Return the sizes of its matrices: down- and up-projection of queries, down-
        and up-projection of keys and values, output.
        """
        queries = self.heads * (self.unrotated_width + self.rotary_width)
        keys_values = self.heads * (self.unrotated_width + self.value_width)
        return [
            (width, self.query_rank),
            (self.query_rank, queries),
            (width, self.key_value_rank + self.rotary_width),
            (self.key_value_rank, keys_values),
            (self.heads * self.value_width, width),
        ]

    def vectors(self, width: int) -> int:
        """Return the number of gains in the norms of its two latent vectors."""
        return self.query_rank + self.key_value_rank

    @property
    def products_per_position(self) -> int:
        """As in `GroupedAttention`."""
        width = self.unrotated_width + self.rotary_width + self.value_width
        return self.heads * width

    @property
    def cached_width(self) -> int:
        """The number of cached values per position: the latent vector and the shared
        rotated key.
        """
        return self.key_value_rank + self.rotary_width


@dataclass(frozen=True)
class ModelShape:
    """The settings that determine a decoder's size.

    Attributes:
        width: The number of features of a token's vector.
        feed_forward_width: The number of hidden features of a dense feed-forward layer.
        gated: True if feed-forward layers have a third matrix, as in SwiGLU.
        bias: True if feed-forward layers have biases.
        norm_bias: True if norms have biases.
        learned_positions: True if each position of the context has a learned vector.
        tied_embeddings: True if the output layer shares the embedding's weights.
        window: The number of positions that attention reaches back; None for all.
        experts: The number of experts that a router chooses from; 0 for a dense model.
        shared_experts: The number of further experts that every token uses.
        expert_width: The number of hidden features of an expert.
        dense_layers: The number of blocks at the start with a dense feed-forward layer
            in a mixture of experts.
        convolution_size: The number of earlier positions in a short convolution; each
            block has two convolutions.
        tables: The rows and features of each n-gram table.
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
        """The number of blocks with experts."""
        return self.layers - self.dense_layers if self.experts else 0


def shape_of(config: DecoderConfig) -> ModelShape:
    """Return the shape of the decoder with these settings."""
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


# Radford et al., Language Models are Unsupervised Multitask Learners, table 2; the
# heads are the released models'.
# https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
# The parameter counts in that table (117M, 345M, 762M) are wrong, as the authors write
# in https://github.com/openai/gpt-2.
GPT2_SMALL = shape_of(DecoderConfig.gpt2(width=768, layers=12, heads=12))
GPT2_MEDIUM = shape_of(DecoderConfig.gpt2(width=1024, layers=24, heads=16))
GPT2_LARGE = shape_of(DecoderConfig.gpt2(width=1280, layers=36, heads=20))
GPT2_XL = shape_of(DecoderConfig.gpt2(width=1600, layers=48, heads=25))


def _llama_3_1(
    width: int, layers: int, heads: int, feed_forward_width: int
) -> ModelShape:
    return ModelShape(
        vocab_size=128_256,
        context_length=131_072,
        width=width,
        layers=layers,
        attention=GroupedAttention(heads, key_value_heads=8, head_width=128),
        feed_forward_width=feed_forward_width,
    )


# Grattafiori et al., The Llama 3 Herd of Models, table 3:
# https://arxiv.org/abs/2407.21783
LLAMA_3_1_8B = _llama_3_1(width=4096, layers=32, heads=32, feed_forward_width=14_336)
LLAMA_3_1_70B = _llama_3_1(width=8192, layers=80, heads=64, feed_forward_width=28_672)
LLAMA_3_1_405B = _llama_3_1(
    width=16_384, layers=126, heads=128, feed_forward_width=53_248
)

# Jiang et al., Mixtral of Experts, table 1: https://arxiv.org/abs/2401.04088
MIXTRAL_8X7B = ModelShape(
    vocab_size=32_000,
    context_length=32_768,
    width=4096,
    layers=32,
    attention=GroupedAttention(heads=32, key_value_heads=8, head_width=128),
    feed_forward_width=14_336,
    experts=8,
    experts_per_token=2,
    expert_width=14_336,
)

# DeepSeek-AI, DeepSeek-V3 Technical Report, section 4.2:
# https://arxiv.org/abs/2412.19437; the width of the dense layers is from
# https://huggingface.co/deepseek-ai/DeepSeek-V3/blob/main/config.json. The multi-token
# prediction module is left out, as in the report's 671B, because the model runs without
# it. So are the 256 balancing biases per layer, which are set by a rule and not by
# gradients.
DEEPSEEK_V3 = ModelShape(
    vocab_size=129_280,
    context_length=131_072,
    width=7168,
    layers=61,
    attention=LatentAttention(
        heads=128,
        query_rank=1536,
        key_value_rank=512,
        unrotated_width=128,
        rotary_width=64,
        value_width=128,
    ),
    feed_forward_width=18_432,
    experts=256,
    experts_per_token=8,
    shared_experts=1,
    expert_width=2048,
    dense_layers=3,
)

# Ben Allal et al., SmolLM2, https://arxiv.org/abs/2502.02737; the sizes are those of
# the file that chapter 5 loads.
SMOLLM2_135M = ModelShape(
    vocab_size=49_152,
    context_length=8192,
    width=576,
    layers=30,
    attention=GroupedAttention(heads=9, key_value_heads=3, head_width=64),
    feed_forward_width=1536,
    tied_embeddings=True,
)
