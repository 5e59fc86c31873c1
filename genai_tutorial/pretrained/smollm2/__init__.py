"""SmolLM2, a real chat model of 135 million weights, in the book's own decoder.

`find` says where it is, `gguf` and `hugging_face` read the two kinds of file, `load`
puts the weights in place.
"""

from genai_tutorial.pretrained.smollm2.find import (
    check_packaged_file,
    find_smollm2,
    is_ones_own,
)
from genai_tutorial.pretrained.smollm2.gguf import GGUFModel, unpermute
from genai_tutorial.pretrained.smollm2.hugging_face import HuggingFaceModel
from genai_tutorial.pretrained.smollm2.load import (
    load_smollm2,
    load_smollm2_tokenizer,
    open_smollm2,
)

__all__ = [
    "GGUFModel",
    "HuggingFaceModel",
    "check_packaged_file",
    "find_smollm2",
    "is_ones_own",
    "load_smollm2",
    "load_smollm2_tokenizer",
    "open_smollm2",
    "unpermute",
]
