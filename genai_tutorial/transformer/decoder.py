"""The decoder: a stack of Transformer blocks that maps token ids to logits for the next
token at every position. Variants are imported where a configuration asks for them, so
that the rest can be read without them.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .attention import MultiHeadAttention
from .cache import KVCache
from .config import DecoderConfig
from .context import AttentionContext
from .layers import FeedForward, RMSNorm
from .positions import (
    LearnedPositions,
    RotaryEmbedding,
    SinusoidalPositions,
    rotary_frequencies,
)


class DecoderLM(nn.Module):
    """A language model: a stack of causal Transformer blocks between an embedding and
    an output layer.

    Args:
        seed: Seed of the initialization; None leaves the weights uninitialized, for
            weights that will be loaded.

    Source: Radford et al., Improving Language Understanding by Generative Pre-Training,
        equation 2,
        https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf

    >>> model = DecoderLM(DecoderConfig(vocab_size=65))
    >>> model(torch.tensor([[1, 2, 3]])).shape  # 65 logits after each of three tokens
    torch.Size([1, 3, 65])
    """

    def __init__(self, config: DecoderConfig, seed: int | None = 0):
        super().__init__()
        self.config = config
        self.rotary = _rotary(config)
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.ngram_embedding = _ngram_embedding(config)
        self.position_embedding = _position_embedding(config)
        self.blocks = nn.ModuleList(
            _make_block(config, self.rotary, layer) for layer in range(config.layers)
        )
        self.final_norm = _make_norm(config)
        self.head = None
        if not config.tied_embeddings:
            self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        if seed is not None:
            _initialize(self, config, seed)

    def forward(
        self,
        ids: Int[Tensor, "batch position"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position vocab"]:
        """Return the logits of the next token at each position.

        Args:
            ids: The tokens; with a cache, only those that it does not hold yet.

        Raises:
            ValueError: If the sequence does not fit into the context window or the
                cache, or a token is not in the vocabulary.
        """
        return self.logits(self.read(ids, context))

    def read(
        self,
        ids: Int[Tensor, "batch position"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Return the last block's hidden state at each position."""
        context = context or AttentionContext()
        with context.reading(ids):
            x = self.embed(ids, context)
            for block in self.blocks:
                x = block(x, context)
        return x

    def read_vectors(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Return the last block's hidden state at each position, for vectors instead of
        tokens: from `embed`, from an image, or both in one row.

        Raises:
            ValueError: If the vectors have another width, or do not fit into the
                context window or the cache.
        """
        self._check_length(x.shape[1])
        if x.shape[2] != self.config.width:
            raise ValueError(
                f"The model reads vectors of width {self.config.width}, got "
                f"{x.shape[2]}. Project them to that width first."
            )
        context = context or AttentionContext()
        # A cache keeps ids; -1 equals no token, so that it takes no vector for a text.
        with context.reading(torch.full(x.shape[:2], -1, device=x.device)):
            for block in self.blocks:
                x = block(x, context)
        return x

    def logits(
        self, x: Float[Tensor, "batch position width"]
    ) -> Float[Tensor, "batch position vocab"]:
        """Map the last block's hidden states to logits."""
        x = self.final_norm(x)
        if self.head is None:
            return functional.linear(x, self.token_embedding.weight)
        return self.head(x)

    def embed(
        self, ids: Int[Tensor, "batch position"], context: AttentionContext
    ) -> Float[Tensor, "batch position width"]:
        """Return the start of the residual stream: each token's summed embeddings."""
        config = self.config
        self._check_length(ids.shape[1])
        try:
            x = self.token_embedding(ids)
        except IndexError as error:
            raise ValueError(
                f"Tokens must be from 0 to {config.vocab_size - 1} (vocab_size is "
                f"{config.vocab_size}), got values from {ids.min()} to {ids.max()}. "
                "Was the text encoded with another tokenizer?"
            ) from error
        if self.ngram_embedding is not None:
            x = x + self.ngram_embedding(ids, context)
        if self.position_embedding is not None:
            x = self.position_embedding(x, context.positions)
        return x

    def _check_length(self, length: int) -> None:
        longest = self.config.context_length
        if length > longest:
            raise ValueError(
                f"The context window is {longest} tokens, got {length}. Keep the last "
                f"{longest}, or build the model with a longer context_length."
            )

    @torch.no_grad()
    def hidden_states(
        self, ids: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "state batch position width"]:
        """Return the hidden states before the first block and after each block."""
        states = [self.embed(ids, AttentionContext())]
        for block in self.blocks:
            states.append(block(states[-1]))
        return torch.stack(states)

    @torch.no_grad()
    def attention_maps(
        self, ids: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "layer batch head query key"]:
        """Return every head's attention weights, which `forward` never stores."""
        pairs = zip(self.blocks, self.hidden_states(ids)[:-1], strict=True)
        return torch.stack([block.attention_weights(x) for block, x in pairs])

    def make_cache(self, batch_size: int = 1, length: int | None = None) -> KVCache:
        """Return an empty cache with the model's dtype and device; see `KVCache`.

        Raises:
            ValueError: If the model is not causal, or a size is out of range.
        """
        if not self.config.attention.causal:
            raise ValueError(
                "A cache needs causal=True: without it every new token changes the "
                "keys and values of all others."
            )
        sizes = self.config.cache_sizes(batch_size, length)
        weight = self.token_embedding.weight
        window = self.config.attention.sliding_window
        if window is None:
            return KVCache(*sizes, weight.dtype, weight.device)
        from .streaming_cache import RollingCache

        slots = min(window, sizes[3])
        return RollingCache(*sizes, weight.dtype, weight.device, slots)

    def parameter_count(self) -> int:
        """Return the number of parameters; tied embeddings count once."""
        return sum(parameter.numel() for parameter in self.parameters())


def next_token_loss(
    logits: Float[Tensor, "batch position vocab"],
    targets: Int[Tensor, "batch position"],
) -> Float[Tensor, ""]:
    """Return the cross-entropy: the mean of -ln p(next token), in nats per token.

    Source: Bengio et al., A Neural Probabilistic Language Model, section 2 (the
        penalized log-likelihood), https://www.jmlr.org/papers/v3/bengio03a.html

    >>> next_token_loss(torch.zeros(1, 1, 8), torch.tensor([[3]]))  # uniform: ln 8
    tensor(2.0794)
    """
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


class DecoderBlock(nn.Module):
    """One layer of the decoder, in the pre-norm arrangement.

        x ──┬── norm ── attention ──(+)──┬── norm ── feed-forward ──(+)── out
            └────────────────────────┘   └───────────────────────────┘

    Args:
        rotary: The rotary embedding that all blocks share; None for other positional
            encodings.

    Source: Xiong et al., On Layer Normalization in the Transformer Architecture, figure
        1b, https://arxiv.org/abs/2002.04745
    """

    def __init__(
        self,
        config: DecoderConfig,
        rotary: RotaryEmbedding | None = None,
        layer: int = 0,
    ):
        super().__init__()
        self.attention_norm = _make_norm(config)
        self.attention = _make_attention(config, rotary, layer)
        self.feed_forward_norm = _make_norm(config)
        self.feed_forward = _make_feed_forward(config)

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention and feed-forward, each with a residual connection."""
        x = x + self.attention(self.attention_norm(x), context)
        return x + self.feed_forward(self.feed_forward_norm(x))

    def attention_weights(
        self, x: Float[Tensor, "batch position width"]
    ) -> Float[Tensor, "batch head query key"]:
        """Return the attention weights for unpadded rows, without a cache."""
        return self.attention.weights(self.attention_norm(x))


def _make_block(
    config: DecoderConfig, rotary: RotaryEmbedding | None, layer: int
) -> nn.Module:
    block, size = DecoderBlock(config, rotary, layer), config.local.convolution_size
    if not size:
        return block
    from .local import ConvolutionBlock

    return ConvolutionBlock(block, config.width, size)


def _make_norm(config: DecoderConfig) -> nn.Module:
    epsilon = config.norm.epsilon
    if config.norm.kind == "layer":
        epsilon = 1e-5 if epsilon is None else epsilon
        return nn.LayerNorm(config.width, epsilon, bias=config.bias)
    return RMSNorm(config.width, 1e-6 if epsilon is None else epsilon)


def _make_attention(
    config: DecoderConfig, rotary: RotaryEmbedding | None, layer: int
) -> MultiHeadAttention:
    settings = config.attention
    return MultiHeadAttention(
        config.width,
        settings.heads,
        key_value_heads=settings.key_value_heads,
        bias=config.bias,
        rotary=rotary,
        query_key_norm=settings.query_key_norm,
        causal=settings.causal,
        window=settings.sliding_window,
        alibi=settings.positions == "alibi",
        layer=layer,
    )


def _make_feed_forward(config: DecoderConfig) -> nn.Module:
    settings = config.feed_forward.activation, config.bias
    mixture = config.mixture
    if mixture is None:
        return FeedForward(config.width, config.hidden_width, *settings)
    from .mixture import MixtureOfExperts

    counts = mixture.experts, mixture.experts_per_token, mixture.shared_experts
    return MixtureOfExperts(
        config.width, config.expert_hidden_width, *counts, *settings
    )


def _rotary(config: DecoderConfig) -> RotaryEmbedding | None:
    if config.attention.positions != "rotary":
        return None
    base, scaling = config.attention.rotary_base, config.attention.rotary_scaling
    frequencies, factor = rotary_frequencies(config.head_width, base), 1.0
    if scaling is not None:
        frequencies = scaling.scale(frequencies, base)
        factor = scaling.attention_factor
    return RotaryEmbedding(frequencies, config.context_length, factor)


def _ngram_embedding(config: DecoderConfig) -> nn.Module | None:
    local = config.local
    if not (local.pair_features or local.triple_features):
        return None
    from .local import NGramEmbedding

    return NGramEmbedding(config.vocab_size, config.width, local)


def _position_embedding(config: DecoderConfig) -> nn.Module | None:
    kinds = {"learned": LearnedPositions, "sinusoidal": SinusoidalPositions}
    kind = kinds.get(config.attention.positions)
    return None if kind is None else kind(config.context_length, config.width)


@torch.no_grad()
def _initialize(model: nn.Module, config: DecoderConfig, seed: int) -> None:
    """Draw the matrices, and set gains to one and biases to zero; the scaling by depth
    is GPT-2's (section 2.3).
    """
    settings = config.initialization
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        writes_to_stream = name.endswith("output.weight")
        if parameter.dim() == 1:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        elif name.endswith("convolution.weight"):
            parameter.zero_()  # short convolutions start as the identity
        elif settings.zero_outputs and (writes_to_stream or name == "head.weight"):
            parameter.zero_()
        elif settings.std is not None:
            depth_scale = 1 / math.sqrt(2 * config.layers) if writes_to_stream else 1.0
            parameter.normal_(0.0, settings.std * depth_scale, generator=generator)
        elif name == "token_embedding.weight" and not config.tied_embeddings:
            parameter.normal_(0.0, 1.0, generator=generator)
        else:
            std = 1 / math.sqrt(parameter.shape[-1])
            parameter.normal_(0.0, std, generator=generator)


def language_model_loss(
    model: nn.Module,
    inputs: Int[Tensor, "batch position"],
    targets: Int[Tensor, "batch position"],
) -> Float[Tensor, ""]:
    """Return the `next_token_loss` of a model on a batch of windows; for `fit`."""
    return next_token_loss(model(inputs), targets)
