"""Models on the reader's own device: a language model as a file of 8-bit rows, and the
engine that runs it in a web page.
"""

from genai_tutorial.edge.assembler import assemble
from genai_tutorial.edge.engine import (
    engine_script,
    engine_source,
    kernel_code,
    model_script,
    tokenizer_script,
)
from genai_tutorial.edge.pack import PackedModel, pack_model
from genai_tutorial.edge.packed_tokenizer import pack_tokenizer, unpack_tokenizer

__all__ = [
    "PackedModel",
    "assemble",
    "engine_script",
    "engine_source",
    "kernel_code",
    "model_script",
    "pack_model",
    "pack_tokenizer",
    "tokenizer_script",
    "unpack_tokenizer",
]
