"""Pretrained models: weights, model cards, and two real
models in the book's own code: SmolLM2, a chat model, and MiniLM, a sentence encoder.
"""

from .files import (
    read_card,
    read_tokenizer,
    read_weights,
    rounded_weights,
    write_pretrained,
)
from .minilm.find import MINILM_FILE, find_minilm
from .minilm.load import load_minilm, load_minilm_tokenizer
from .smollm2.find import SMOLLM2_FILE, find_smollm2
from .smollm2.gguf import GGUFModel
from .smollm2.hugging_face import LAYER_NAMES, HuggingFaceModel
from .smollm2.load import load_smollm2, load_smollm2_tokenizer, open_smollm2
