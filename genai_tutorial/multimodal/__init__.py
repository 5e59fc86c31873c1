"""Multimodal models: images and the texts that describe them."""

from genai_tutorial.multimodal.attention_maps import record_attention_maps
from genai_tutorial.multimodal.clip import CLIP, CLIPConfig
from genai_tutorial.multimodal.contrastive import (
    classify_zero_shot,
    contrastive_loss,
    hits_at_k,
    recall_at_k,
    sigmoid_loss,
)
from genai_tutorial.multimodal.denoising_error import denoising_errors
from genai_tutorial.multimodal.encoder import Encoder, EncoderBlock, EncoderConfig
from genai_tutorial.multimodal.film_reading import (
    attention_to_frames,
    film_prefix,
    read_film,
)
from genai_tutorial.multimodal.gated_attention import (
    CrossAttentionModel,
    GatedCrossAttention,
)
from genai_tutorial.multimodal.image_reader import ImageReader
from genai_tutorial.multimodal.image_tokens import ImageTokenizer
from genai_tutorial.multimodal.one_stream import StreamModel, StreamVocabulary
from genai_tutorial.multimodal.text_encoder import (
    TextEncoder,
    TextEncoderConfig,
    TextFeatures,
)
from genai_tutorial.multimodal.text_to_image import TextToImage, drop_texts
from genai_tutorial.multimodal.vision_language import (
    Projector,
    VisionLanguageConfig,
    VisionLanguageModel,
    answer_loss,
    splice,
    without_last_block,
)
from genai_tutorial.multimodal.vision_transformer import (
    ImageEncoder,
    ImageEncoderConfig,
)

__all__ = [
    "CLIP",
    "CLIPConfig",
    "CrossAttentionModel",
    "Encoder",
    "EncoderBlock",
    "EncoderConfig",
    "GatedCrossAttention",
    "ImageEncoder",
    "ImageEncoderConfig",
    "ImageReader",
    "ImageTokenizer",
    "Projector",
    "StreamModel",
    "StreamVocabulary",
    "TextEncoder",
    "TextEncoderConfig",
    "TextFeatures",
    "TextToImage",
    "VisionLanguageConfig",
    "VisionLanguageModel",
    "answer_loss",
    "attention_to_frames",
    "classify_zero_shot",
    "contrastive_loss",
    "denoising_errors",
    "drop_texts",
    "film_prefix",
    "hits_at_k",
    "read_film",
    "recall_at_k",
    "record_attention_maps",
    "sigmoid_loss",
    "splice",
    "without_last_block",
]
