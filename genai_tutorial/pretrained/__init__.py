"""Pretrained models: weights and model cards on disk, and two real models in the book's
own code: SmolLM2, a chat model, and MiniLM, a sentence encoder.

Read `files` for the book's own checkpoints. `smollm2` finds its file and loads it
through `gguf` or `hugging_face`; `minilm` does the same for the encoder.
"""

from .files import (
    read_card,
    read_tokenizer,
    read_weights,
    rounded_weights,
    write_pretrained,
)
from .gguf import GGUFModel
from .hugging_face import LAYER_NAMES, HuggingFaceModel
from .minilm import MINILM_FILE, find_minilm, load_minilm, load_minilm_tokenizer
from .smollm2 import (
    SMOLLM2_FILE,
    find_smollm2,
    load_smollm2,
    load_smollm2_tokenizer,
    open_smollm2,
)
