"""SmolLM2, a real chat model of 135 million weights, in the book's own decoder."""

from genai_tutorial.pretrained.smollm2.find import find_smollm2
from genai_tutorial.pretrained.smollm2.load import load_smollm2, load_smollm2_tokenizer

__all__ = ["find_smollm2", "load_smollm2", "load_smollm2_tokenizer"]
