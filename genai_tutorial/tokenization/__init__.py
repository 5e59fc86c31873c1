"""Tokenization: from text to the numbers that a language model reads, and back."""

from genai_tutorial.tokenization.bpe import BPETokenizer
from genai_tutorial.tokenization.byte_alphabet import (
    byte_to_unicode,
    invisible,
    visible,
)
from genai_tutorial.tokenization.characters import CharacterTokenizer
from genai_tutorial.tokenization.chat import SMOLLM2_CHAT, ChatTemplate, Message
from genai_tutorial.tokenization.merging import merge_pairs
from genai_tutorial.tokenization.patterns import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    PreTokenizer,
)
from genai_tutorial.tokenization.stream import StreamDecoder
from genai_tutorial.tokenization.train import BPETrainer, train_bpe
from genai_tutorial.tokenization.vocabulary import PADDING
from genai_tutorial.tokenization.wordpiece import WordPieceTokenizer
from genai_tutorial.tokenization.words import WordTokenizer

__all__ = [
    "GPT2_PATTERN",
    "GPT4_PATTERN",
    "PADDING",
    "SMOLLM2_CHAT",
    "SMOLLM2_PATTERN",
    "BPETokenizer",
    "BPETrainer",
    "CharacterTokenizer",
    "ChatTemplate",
    "Message",
    "PreTokenizer",
    "StreamDecoder",
    "WordPieceTokenizer",
    "WordTokenizer",
    "byte_to_unicode",
    "invisible",
    "merge_pairs",
    "train_bpe",
    "visible",
]
