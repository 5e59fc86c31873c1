"""MiniLM, a real sentence encoder with 22.6 million parameters, in the book's own
blocks.
"""

from genai_tutorial.pretrained.minilm.find import (
    MINILM_FILE,
    MINILM_VOCABULARY,
    find_minilm,
)
from genai_tutorial.pretrained.minilm.load import load_minilm, load_minilm_tokenizer

__all__ = [
    "MINILM_FILE",
    "MINILM_VOCABULARY",
    "find_minilm",
    "load_minilm",
    "load_minilm_tokenizer",
]
