"""One stream: words and image codes share a vocabulary, so that one decoder draws after
a caption and answers after an image.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.transformer import AttentionContext, DecoderLM


@dataclass(frozen=True)
class StreamVocabulary:
    """The tokens of a stream: words, then the two that enclose an image, then its
    codes.

    Attributes:
        words: The number of words, with the padding.
        codes: The number of image codes.

    Raises:
        ValueError: If a number is below 1.

    Source: Chameleon Team, Chameleon: Mixed-Modal Early-Fusion Foundation Models,
        section 2.1, https://arxiv.org/abs/2405.09818

    >>> vocabulary = StreamVocabulary(words=50, codes=128)
    >>> vocabulary.size, vocabulary.image(torch.tensor([[0, 127]])).tolist()
    (180, [[50, 52, 179, 51]])
    """

    words: int
    codes: int

    def __post_init__(self):
        if self.words < 1 or self.codes < 1:
            raise ValueError(
                f"words and codes must be at least 1, got {self.words} and "
                f"{self.codes}."
            )

    @property
    def size(self) -> int:
        """The number of different tokens."""
        return self.words + 2 + self.codes

    @property
    def image_start(self) -> int:
        """The token before the codes of an image."""
        return self.words

    @property
    def image_end(self) -> int:
        """The token after them."""
        return self.words + 1

    @property
    def first_code(self) -> int:
        """The token of code 0."""
        return self.words + 2

    def image(self, codes: Int[Tensor, "image code"]) -> Int[Tensor, "image token"]:
        """Return the tokens of images: the start, the codes and the end.

        Raises:
            ValueError: If a code is not from 0 to the number of codes.
        """
        if codes.min() < 0 or codes.max() >= self.codes:
            raise ValueError(
                f"codes must be from 0 to {self.codes - 1}, got values from "
                f"{codes.min()} to {codes.max()}."
            )
        edge = codes.new_ones(len(codes), 1)
        return torch.cat(
            [self.image_start * edge, codes + self.first_code, self.image_end * edge],
            dim=1,
        )


def stream_logits(
    model: DecoderLM,
    vocabulary: StreamVocabulary,
    codes: Int[Tensor, "image code"],
    ids: Int[Tensor, "image token"],
    documents: Int[Tensor, "image token"] | None = None,
) -> Float[Tensor, "image token vocab"]:
    """Return the logits after each token of the text that follows an image.

    Args:
        model: The decoder over the whole vocabulary.
        vocabulary: The vocabulary.
        codes: The images.
        ids: Questions and answers.
        documents: The number of the question that each token belongs to, from 1: each
            sees the image and itself. None for a single text.

    Raises:
        ValueError: If image and text do not fit into the context window.
    """
    image = vocabulary.image(codes)
    row = torch.cat([image, ids], dim=1)
    context = None
    if documents is not None:
        of_image = torch.zeros_like(image)
        context = AttentionContext.prefixed(torch.cat([of_image, documents], dim=1))
    return model(row, context)[:, image.shape[1] :]


@torch.no_grad()
def draw_image_codes(
    model: DecoderLM,
    vocabulary: StreamVocabulary,
    captions: Int[Tensor, "image token"],
    codes: int,
    *,
    generator: torch.Generator,
    temperature: float | int = 1.0,
    guidance: float | int = 1.0,
    empty: Int[Tensor, "token"] | None = None,
) -> Int[Tensor, "image code"]:
    """Draw the codes of images that follow captions, one after the other; no other
    token is allowed between the start and the end of an image.

    Args:
        model: The decoder over the whole vocabulary.
        vocabulary: The vocabulary.
        captions: The captions, all padded to one length as in training.
        codes: The number of codes of an image.
        generator: Random generator of the draws.
        temperature: Below 1 favours likely codes.
        guidance: The weight of classifier-free guidance; 1 for none.
        empty: The caption that stands for none, for guidance.

    Raises:
        ValueError: If a number is out of range, or guidance has no empty caption.

    Source: Gafni et al., Make-A-Scene, section 3.4 (guidance of an autoregressive
        model), https://arxiv.org/abs/2203.13131
    """
    if codes < 1 or temperature <= 0:
        raise ValueError(
            "codes must be at least 1 and temperature above 0, got "
            f"{codes} and {temperature}."
        )
    if guidance != 1 and empty is None:
        raise ValueError("Guidance needs an empty caption to lead away from.")
    n, first = len(captions), vocabulary.first_code
    if guidance != 1:
        captions = torch.cat([captions, empty.expand(n, -1)])
    start = captions.new_full((len(captions), 1), vocabulary.image_start)
    unread, drawn = torch.cat([captions, start], dim=1), []
    cache = model.make_cache(len(captions), unread.shape[1] + codes)
    while len(drawn) < codes:
        hidden = model.read(unread, AttentionContext.cached(cache))[:, -1:]
        logits = model.logits(hidden)[:, 0, first:]
        if guidance != 1:
            told, untold = logits.split(n)
            logits = untold + guidance * (told - untold)
        chances = (logits / temperature).softmax(dim=1)
        drawn.append(torch.multinomial(chances, 1, generator=generator))
        unread = (drawn[-1] + first).repeat(len(captions) // n, 1)
    return torch.cat(drawn, dim=1)
