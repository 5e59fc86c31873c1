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
from genai_tutorial.multimodal.text_encoder import (
    TextEncoder,
    TextEncoderConfig,
    TextFeatures,
)
from genai_tutorial.multimodal.text_to_image import TextToImage, drop_texts
from genai_tutorial.multimodal.vision_transformer import (
    ImageEncoder,
    ImageEncoderConfig,
)

__all__ = [
    "CLIP",
    "CLIPConfig",
    "Encoder",
    "EncoderBlock",
    "EncoderConfig",
    "ImageEncoder",
    "ImageEncoderConfig",
    "TextEncoder",
    "TextEncoderConfig",
    "TextFeatures",
    "TextToImage",
    "classify_zero_shot",
    "contrastive_loss",
    "denoising_errors",
    "drop_texts",
    "hits_at_k",
    "recall_at_k",
    "record_attention_maps",
    "sigmoid_loss",
]
