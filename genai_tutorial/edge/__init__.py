"""Models on the reader's own device: a language model as a file of 8-bit rows, and the
engine that runs it in a web page.
"""

from genai_tutorial.edge.pack import PackedModel, pack_model
from genai_tutorial.edge.packed_tokenizer import pack_tokenizer, unpack_tokenizer

__all__ = [
    "PackedModel",
    "pack_model",
    "pack_tokenizer",
    "unpack_tokenizer",
]
