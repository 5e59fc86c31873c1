"""Tokenization: from text to the numbers that a language model reads, and back.

Read `vocabulary`, `train` and `bpe` for byte-level BPE. `files` reads and writes its
tokenizers, `words` has tokenizers with a fixed vocabulary, and `chat` writes
conversations as text.
"""

from .bpe import BPETokenizer, StreamDecoder, merge_pairs
from .chat import SMOLLM2_CHAT, ChatTemplate, Message
from .files import read_hugging_face
from .train import BPETrainer, train_bpe
from .vocabulary import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    PADDING,
    SMOLLM2_PATTERN,
    PreTokenizer,
    TokenParts,
    byte_to_unicode,
    invisible,
    visible,
)
from .words import CharacterTokenizer, WordPieceTokenizer, WordTokenizer
