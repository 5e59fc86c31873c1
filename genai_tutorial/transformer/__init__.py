"""The Transformer: attention, positions, norms, feed-forward layers, and the decoder language model made of them."""

from genai_tutorial.transformer.attention import attention, attention_weights, fused_attention
from genai_tutorial.transformer.block import DecoderBlock, make_feed_forward
from genai_tutorial.transformer.cache import KVCache
from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.convolution import ShortConvolution
from genai_tutorial.transformer.decoder import DecoderLM, next_token_loss
from genai_tutorial.transformer.feed_forward import FeedForward
from genai_tutorial.transformer.masks import causal_mask, padding_mask, sliding_window_mask
from genai_tutorial.transformer.multi_head import MultiHeadAttention
from genai_tutorial.transformer.ngrams import NGramEmbedding
from genai_tutorial.transformer.norms import RMSNorm
from genai_tutorial.transformer.positions import LearnedPositions
from genai_tutorial.transformer.rotary import RotaryEmbedding

__all__ = [
    "DecoderBlock",
    "DecoderConfig",
    "DecoderLM",
    "FeedForward",
    "KVCache",
    "LearnedPositions",
    "MultiHeadAttention",
    "NGramEmbedding",
    "RMSNorm",
    "RotaryEmbedding",
    "ShortConvolution",
    "attention",
    "attention_weights",
    "causal_mask",
    "fused_attention",
    "make_feed_forward",
    "next_token_loss",
    "padding_mask",
    "sliding_window_mask",
]
