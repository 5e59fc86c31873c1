"""SmolLM2, a real chat model with 135 million parameters, in the book's own decoder.

`find` locates it, `gguf` and `hugging_face` read the two file formats, and `load`
assigns the weights.
"""

from genai_tutorial.pretrained.smollm2.find import SMOLLM2_FILE, find_smollm2
from genai_tutorial.pretrained.smollm2.gguf import GGUFModel, unpermute
from genai_tutorial.pretrained.smollm2.hugging_face import HuggingFaceModel
from genai_tutorial.pretrained.smollm2.load import (
    load_smollm2,
    load_smollm2_tokenizer,
    open_smollm2,
)

__all__ = [
    "SMOLLM2_FILE",
    "GGUFModel",
    "HuggingFaceModel",
    "find_smollm2",
    "load_smollm2",
    "load_smollm2_tokenizer",
    "open_smollm2",
    "unpermute",
]
