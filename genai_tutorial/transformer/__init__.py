"""The Transformer: attention, positional encodings, normalization, feed-forward layers,
and the decoder language model built from them.
"""

from genai_tutorial.transformer.alibi import alibi_bias, alibi_slopes
from genai_tutorial.transformer.attention import (
    attention,
    attention_weights,
    fused_attention,
    share_heads,
)
from genai_tutorial.transformer.block import DecoderBlock, make_feed_forward
from genai_tutorial.transformer.blockwise import OnlineSoftmax, blockwise_attention
from genai_tutorial.transformer.cache import KVCache
from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.config_groups import (
    AttentionConfig,
    FeedForwardConfig,
    InitializationConfig,
    LocalConfig,
    MixtureConfig,
    NormConfig,
)
from genai_tutorial.transformer.context import AttentionContext
from genai_tutorial.transformer.convolution import ConvolutionBlock, ShortConvolution
from genai_tutorial.transformer.decoder import DecoderLM, next_token_loss
from genai_tutorial.transformer.feed_forward import FeedForward
from genai_tutorial.transformer.masks import (
    causal_mask,
    document_mask,
    document_positions,
    padding_mask,
    sink_mask,
    sliding_window_mask,
)
from genai_tutorial.transformer.mixture_of_experts import MixtureOfExperts, routings
from genai_tutorial.transformer.multi_head import MultiHeadAttention
from genai_tutorial.transformer.ngram_embedding import NGramEmbedding
from genai_tutorial.transformer.norms import RMSNorm
from genai_tutorial.transformer.pixel_transformer import PixelConfig, PixelTransformer
from genai_tutorial.transformer.positions import LearnedPositions, SinusoidalPositions
from genai_tutorial.transformer.rolling_cache import RollingCache
from genai_tutorial.transformer.rotary import RotaryEmbedding, rotary_frequencies
from genai_tutorial.transformer.rotary_scaling import (
    DynamicNTKScaling,
    LinearScaling,
    Llama3Scaling,
    NTKScaling,
    YarnScaling,
)
from genai_tutorial.transformer.routing import (
    Router,
    Routing,
    expert_usage,
    load_balancing_loss,
    router_entropy,
    router_z_loss,
    usage_entropy,
)
from genai_tutorial.transformer.streaming_cache import SinkCache

__all__ = [
    "AttentionConfig",
    "AttentionContext",
    "ConvolutionBlock",
    "DecoderBlock",
    "DecoderConfig",
    "DecoderLM",
    "DynamicNTKScaling",
    "FeedForward",
    "FeedForwardConfig",
    "InitializationConfig",
    "KVCache",
    "LearnedPositions",
    "LinearScaling",
    "Llama3Scaling",
    "LocalConfig",
    "MixtureConfig",
    "MixtureOfExperts",
    "MultiHeadAttention",
    "NGramEmbedding",
    "NTKScaling",
    "NormConfig",
    "OnlineSoftmax",
    "PixelConfig",
    "PixelTransformer",
    "RMSNorm",
    "RollingCache",
    "RotaryEmbedding",
    "Router",
    "Routing",
    "ShortConvolution",
    "SinkCache",
    "SinusoidalPositions",
    "YarnScaling",
    "alibi_bias",
    "alibi_slopes",
    "attention",
    "attention_weights",
    "blockwise_attention",
    "causal_mask",
    "document_mask",
    "document_positions",
    "expert_usage",
    "fused_attention",
    "load_balancing_loss",
    "make_feed_forward",
    "next_token_loss",
    "padding_mask",
    "rotary_frequencies",
    "router_entropy",
    "router_z_loss",
    "routings",
    "share_heads",
    "sink_mask",
    "sliding_window_mask",
    "usage_entropy",
]
