"""Pretrained models as files: weights, cards and records of longer measurements, and
one real chat model, SmolLM2, read into the book's own decoder.
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
