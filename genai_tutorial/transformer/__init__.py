"""The Transformer: attention, positional encodings, normalization, feed-forward layers,
and the decoder language model built from them.

Read `attention`, `positions` and `layers`, then `decoder`, which puts them together by
the settings in `config`. `context` says which keys each query attends to, and `cache`
keeps the keys and values of earlier tokens. These are all that a GPT needs. The other
modules are variants, which `decoder` imports only when the settings ask for them:
`fixed_memory` replaces attention by a memory of fixed size, `latent_attention` makes
the cache smaller, `learned_sinks` lets a head attend to nothing, and `biased_router`
balances experts without a loss.
"""

from .attention import (
    MultiHeadAttention,
    attention,
    attention_weights,
    fused_attention,
    share_heads,
)
from .biased_router import BiasedRouter, balance_experts
from .blockwise import OnlineSoftmax, blockwise_attention, update_with_block
from .cache import CachedContext, KVCache
from .config import (
    AttentionConfig,
    DecoderConfig,
    FeedForwardConfig,
    InitializationConfig,
    LocalConfig,
    MixtureConfig,
    NormConfig,
    PositionKind,
)
from .context import (
    AttentionContext,
    AttentionPattern,
    Visibility,
    alibi_bias,
    causal_mask,
    document_mask,
    padding_mask,
    sink_mask,
    sliding_window_mask,
)
from .decoder import DecoderBlock, DecoderLM, language_model_loss, next_token_loss
from .fixed_memory import (
    FixedMemory,
    MemoryKind,
    chunked_memory,
    parallel_memory,
    recurrent_memory,
    replace_attention,
)
from .latent_attention import MultiHeadLatentAttention, latent_cache
from .layers import (
    Activation,
    FeedForward,
    NormKind,
    RMSNorm,
    activate,
)
from .learned_sinks import SinkAttention, sink_weights
from .local import NGramEmbedding, ShortConvolution
from .mixture import (
    MixtureOfExperts,
    Router,
    Routing,
    load_balancing_loss,
    routings,
    usage_entropy,
)
from .pixel_transformer import PixelConfig, PixelTransformer
from .positions import (
    DynamicNTKScaling,
    LearnedPositions,
    LinearScaling,
    Llama3Scaling,
    NTKScaling,
    RotaryEmbedding,
    RotaryScaling,
    SinusoidalPositions,
    YarnScaling,
    rotary_frequencies,
)
from .streaming_cache import SinkCache
