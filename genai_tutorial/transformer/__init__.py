"""The Transformer: attention, positions, norms, feed-forward layers, and the decoder language model made of them."""

from genai_tutorial.transformer.attention import MultiHeadAttention, attention, attention_weights, causal_mask
from genai_tutorial.transformer.block import DecoderBlock
from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.convolution import ShortConvolution
from genai_tutorial.transformer.decoder import DecoderLM, next_token_loss
from genai_tutorial.transformer.feed_forward import FeedForward
from genai_tutorial.transformer.ngrams import NGramEmbedding
from genai_tutorial.transformer.norms import RMSNorm
from genai_tutorial.transformer.positions import LearnedPositions, RotaryEmbedding

__all__ = [
    "DecoderBlock",
    "DecoderConfig",
    "DecoderLM",
    "FeedForward",
    "LearnedPositions",
    "MultiHeadAttention",
    "NGramEmbedding",
    "RMSNorm",
    "RotaryEmbedding",
    "ShortConvolution",
    "attention",
    "attention_weights",
    "causal_mask",
    "next_token_loss",
]
