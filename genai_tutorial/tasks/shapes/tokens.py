"""The tokenizer that the models of captioned shapes share."""

from collections.abc import Sequence

from jaxtyping import Int
from torch import Tensor

from genai_tutorial.tokenization import WordTokenizer

from .captions import caption_words

CAPTION_TOKENIZER = WordTokenizer(caption_words())
"""A tokenizer of the words of all captions."""

CAPTION_LENGTH = 17
"""The number of tokens of the longest caption, with its end token."""


def encode_captions(captions: Sequence[str]) -> Int[Tensor, "caption 17"]:
    """Return the tokens of captions, padded to `CAPTION_LENGTH`.

    Raises:
        ValueError: If a caption has a word that is not in the vocabulary, or is too
            long.

    >>> encode_captions(["a red circle"]).shape
    torch.Size([1, 17])
    """
    return CAPTION_TOKENIZER.encode_batch(captions, CAPTION_LENGTH)
