"""Multimodal models: images and the texts that describe them."""

from .clip import (
    CLIP,
    CLIPConfig,
    classify_zero_shot,
    contrastive_loss,
    hit_rate_at_k,
    hits_at_k,
    sigmoid_loss,
)
from .directing import Controlled, Editing, add_word, widen_stem
from .encoders import (
    Encoder,
    EncoderConfig,
    ImageEncoder,
    ImageEncoderConfig,
    TextEncoderConfig,
    initialize,
)
from .image_reader import CrossAttentionModel, ImageReader
from .one_stream import ImageTokenizer, StreamModel, StreamVocabulary
from .text_to_image import (
    AttentionMap,
    TextToImage,
    denoising_errors,
    drop_texts,
    record_attention_maps,
)
from .vision_language import (
    Projector,
    VisionLanguageConfig,
    VisionLanguageModel,
    answer_loss,
    attention_to_frames,
    without_last_block,
)
