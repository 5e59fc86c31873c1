"""Pretrained models: weights, model cards, records of longer measurements, and two real
models in the book's own code: SmolLM2, a chat model, and MiniLM, a sentence encoder.
"""

from genai_tutorial.pretrained.minilm import (
    find_minilm,
    load_minilm,
    load_minilm_tokenizer,
)
from genai_tutorial.pretrained.records import record, recorded_images
from genai_tutorial.pretrained.smollm2 import (
    find_smollm2,
    load_smollm2,
    load_smollm2_tokenizer,
)

__all__ = [
    "find_minilm",
    "find_smollm2",
    "load_minilm",
    "load_minilm_tokenizer",
    "load_smollm2",
    "load_smollm2_tokenizer",
    "record",
    "recorded_images",
]
