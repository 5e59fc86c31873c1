"""The Transformer: attention, positional encodings, normalization, feed-forward layers,
and the decoder language model built from them.
"""

from .alibi import alibi_bias
from .attention import attention, attention_weights, fused_attention, share_heads
from .block import DecoderBlock
from .blockwise import OnlineSoftmax, blockwise_attention, update_with_block
from .cache import KVCache
from .config import DecoderConfig
from .config_groups import (
    AttentionConfig,
    FeedForwardConfig,
    InitializationConfig,
    LocalConfig,
    MixtureConfig,
    NormConfig,
    PositionKind,
)
from .context import AttentionContext, AttentionPattern, Visibility
from .convolution import ShortConvolution
from .decoder import DecoderLM, language_model_loss, next_token_loss
from .feed_forward import Activation, FeedForward, activate
from .masks import (
    causal_mask,
    document_mask,
    padding_mask,
    sink_mask,
    sliding_window_mask,
)
from .mixture_of_experts import MixtureOfExperts, routings
from .multi_head import MultiHeadAttention
from .ngram_embedding import NGramEmbedding
from .norms import NormKind, RMSNorm
from .pixel_transformer import PixelConfig, PixelTransformer
from .positions import LearnedPositions, SinusoidalPositions
from .rotary import RotaryEmbedding, rotary_frequencies
from .rotary_scaling import (
    DynamicNTKScaling,
    LinearScaling,
    Llama3Scaling,
    NTKScaling,
    RotaryScaling,
    YarnScaling,
)
from .routing import Router, Routing, load_balancing_loss, usage_entropy
from .streaming_cache import SinkCache
