"""Tokenization: from text to the numbers that a language model reads, and back."""

from .bpe import BPETokenizer
from .byte_alphabet import byte_to_unicode, invisible, visible
from .characters import CharacterTokenizer
from .chat import SMOLLM2_CHAT, ChatTemplate, Message
from .hugging_face import read_hugging_face
from .merging import merge_pairs
from .patterns import GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN, PreTokenizer
from .stream import StreamDecoder
from .train import BPETrainer, train_bpe
from .vocabulary import PADDING, Parts
from .wordpiece import WordPieceTokenizer
from .words import WordTokenizer
