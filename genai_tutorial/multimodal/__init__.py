"""Multimodal models: images and the texts that describe them."""

from .attention_maps import AttentionMap, record_attention_maps
from .clip import CLIP, CLIPConfig
from .contrastive import (
    classify_zero_shot,
    contrastive_loss,
    hits_at_k,
    recall_at_k,
    sigmoid_loss,
)
from .denoising_error import denoising_errors
from .encoder import Encoder, EncoderConfig, initialize
from .film_reading import attention_to_frames, read_film
from .gated_attention import CrossAttentionModel
from .image_reader import ImageReader
from .image_tokens import ImageTokenizer
from .one_stream import StreamModel, StreamVocabulary
from .text_encoder import TextEncoderConfig
from .text_to_image import TextToImage, drop_texts
from .vision_language import (
    Projector,
    VisionLanguageConfig,
    VisionLanguageModel,
    answer_loss,
    without_last_block,
)
from .vision_transformer import ImageEncoder, ImageEncoderConfig
