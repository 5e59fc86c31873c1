"""The tokenizer of clip captions."""

from collections.abc import Sequence

from jaxtyping import Int
from torch import Tensor

from genai_tutorial.tokenization import WordTokenizer

from .clips import MOVES, motion_caption_words

MOTION_TOKENIZER = WordTokenizer(motion_caption_words())
"""A tokenizer for the captions of images and clips; words of image captions have the
same ids as in `CAPTION_TOKENIZER`.
"""

MOTION_CAPTION_LENGTH = 8
"""The number of tokens of the longest clip caption, including the end token."""

MOVES_TOKEN = MOTION_TOKENIZER.encode(MOVES)[0]
"""The token that introduces the motion in a caption."""


def encode_motion_captions(captions: Sequence[str]) -> Int[Tensor, "caption 8"]:
    """Return the tokens of captions, padded to `MOTION_CAPTION_LENGTH`.

    Raises:
        ValueError: If a caption has an unknown word or is too long.

    >>> encode_motion_captions(["a red circle moves left fast"]).shape
    torch.Size([1, 8])
    """
    return MOTION_TOKENIZER.encode_batch(captions, MOTION_CAPTION_LENGTH)
