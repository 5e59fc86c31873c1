"""Tokenization: from text to the numbers that a language model reads, and back.

Byte-level BPE is in `vocabulary`, `train` and `bpe`, its files are in `files`; `words`
has tokenizers with a fixed vocabulary, and `chat` writes conversations.
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
    Parts,
    PreTokenizer,
    byte_to_unicode,
    invisible,
    visible,
)
from .words import CharacterTokenizer, WordPieceTokenizer, WordTokenizer
