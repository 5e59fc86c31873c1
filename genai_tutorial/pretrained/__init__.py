"""Pretrained models: weights, model cards, records of longer measurements, and
SmolLM2, a real chat model loaded into the book's own decoder.
"""

from genai_tutorial.pretrained.records import record, recorded_images
from genai_tutorial.pretrained.smollm2 import (
    find_smollm2,
    load_smollm2,
    load_smollm2_tokenizer,
)

__all__ = [
    "find_smollm2",
    "load_smollm2",
    "load_smollm2_tokenizer",
    "record",
    "recorded_images",
]
