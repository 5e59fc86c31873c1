"""Cross-attention to an image behind gates that are closed at first, and a reader that
answers questions with any of the models.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderLM,
    FeedForward,
    MultiHeadAttention,
)

from .encoders import ImageEncoder, initialize
from .one_stream import StreamModel
from .vision_language import SeeingModel, VisionLanguageConfig, VisionLanguageModel


class GatedCrossAttention(nn.Module):
    """Cross-attention to an image and a feed-forward layer, each multiplied by the tanh
    of a learned gate that starts at 0, so that at first nothing is added.

    Source: Alayrac et al., Flamingo: a Visual Language Model for Few-Shot Learning,
        figure 4, https://arxiv.org/abs/2204.14198
    """

    def __init__(self, width: int, heads: int, source_width: int, seed: int = 0):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads, source_width=source_width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, 4 * width, "gelu", bias=True)
        initialize(self, seed)
        self.attention_gate = nn.Parameter(torch.zeros(1))
        self.feed_forward_gate = nn.Parameter(torch.zeros(1))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        image: Float[Tensor, "batch square source_width"],
    ) -> Float[Tensor, "batch position width"]:
        """Let every position attend to all squares of the image."""
        seen = self.attention(self.attention_norm(x), source=image)
        x = x + self.attention_gate.tanh() * seen
        fed = self.feed_forward(self.feed_forward_norm(x))
        return x + self.feed_forward_gate.tanh() * fed


class CrossAttentionModel(SeeingModel):
    """A decoder with a `GatedCrossAttention` before each block. The image takes up no
    positions of the text, and before training the outputs are the language model's.

    Source: Alayrac et al., Flamingo: a Visual Language Model for Few-Shot Learning,
        section 2.2, https://arxiv.org/abs/2204.14198
    """

    def __init__(self, config: VisionLanguageConfig, seed: int = 0):
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config.image, seed)
        source_width, decoder = config.image.encoder.width, config.decoder
        self.image_norm = nn.LayerNorm(source_width)
        self.gated_layers = nn.ModuleList(
            GatedCrossAttention(
                decoder.width, decoder.attention.heads, source_width, seed + layer
            )
            for layer in range(decoder.layers)
        )
        self.decoder = DecoderLM(decoder, seed + 2)

    def read(
        self,
        squares: Float[Tensor, "batch square features"],
        ids: Int[Tensor, "batch token"],
        documents: Int[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch token vocab"]:
        """Return the logits of the next token after each token of the text; arguments
        and errors as for `VisionLanguageModel.read`.
        """
        context = AttentionContext()
        if documents is not None:
            context = AttentionContext.packed(documents)
        image = self.image_norm(squares)
        x = self.decoder.embed(ids, context)
        for gated, block in zip(self.gated_layers, self.decoder.blocks, strict=True):
            x = block(gated(x, image), context)
        return self.decoder.logits(x)


_BATCH = 500
"""The number of questions that are answered at a time."""


class ImageReader(NamedTuple):
    """A vision-language model with the tokenizer of its questions and answers."""

    model: VisionLanguageModel | CrossAttentionModel | StreamModel
    tokenizer: WordTokenizer

    def answer(
        self,
        squares: Num[Tensor, "n square *features"],
        questions: Sequence[str],
        max_tokens: int = 20,
    ) -> list[str]:
        """Return the answer to one question about each image, by greedy decoding with a
        cache that holds the image's prefix.

        Args:
            squares: The images' vectors, from `model.look`.
            max_tokens: The largest number of tokens of an answer, with its end.

        Raises:
            ValueError: If there are not as many questions as images, a question has a
                word that the tokenizer lacks, or the model reads no prefix.
        """
        if not isinstance(self.model, VisionLanguageModel):
            raise ValueError(
                "Only a VisionLanguageModel reads the image as a prefix that a cache "
                "can hold; use first_words for this model."
            )
        answers = []
        for part in _batches(squares, questions):
            answers += self._answer(squares[part], questions[part], max_tokens)
        return answers

    def first_words(
        self, squares: Num[Tensor, "n square *features"], questions: Sequence[str]
    ) -> list[str]:
        """Return the most probable first word of each answer, from a single forward
        pass: enough for questions with answers of one word.

        Args:
            squares: The images' vectors, from `model.look`; for a `StreamModel` their
                codes.

        Raises:
            ValueError: If there are not as many questions as images, or a question has
                a word that the tokenizer lacks.
        """
        words = []
        for part in _batches(squares, questions):
            chances = self.probabilities(squares[part], questions[part])
            likeliest = chances[:, : self.tokenizer.vocab_size].argmax(dim=1)
            words += [self.tokenizer.decode([token]) for token in likeliest.tolist()]
        return words

    @torch.no_grad()
    def probabilities(
        self, squares: Num[Tensor, "n square *features"], questions: Sequence[str]
    ) -> Float[Tensor, "n token"]:
        """Return the probability of each token as the first of the answer, for all
        images at once; see `first_words`.
        """
        ids, lengths = self._prompts(questions)
        logits = self.model.read(squares, ids)
        return logits[torch.arange(len(ids)), lengths - 1].softmax(dim=1)

    @torch.no_grad()
    def _answer(
        self, squares: Tensor, questions: Sequence[str], max_tokens: int
    ) -> list[str]:
        decoder, end = self.model.decoder, self.tokenizer.END
        ids, lengths = self._prompts(questions)
        length = squares.shape[1] + ids.shape[1] + max_tokens
        cache = decoder.make_cache(len(ids), min(length, decoder.config.context_length))
        decoder.read_vectors(self.model.prefix(squares), AttentionContext.cached(cache))
        hidden = decoder.read(ids, AttentionContext.cached(cache, lengths))
        hidden = hidden[torch.arange(len(ids)), lengths - 1][:, None]
        drawn: list[Tensor] = []
        finished = torch.zeros_like(lengths, dtype=torch.bool)
        while True:
            token = decoder.logits(hidden).argmax(dim=-1)
            drawn.append(token)
            finished |= token[:, 0] == end
            if finished.all() or len(drawn) == max_tokens:
                break
            hidden = decoder.read(token, AttentionContext.cached(cache))
        return [self.tokenizer.decode(row) for row in torch.cat(drawn, 1).tolist()]

    def _prompts(self, questions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the tokens of questions, right-padded, and the length of each."""
        rows = [self.tokenizer.encode(text)[:-1] for text in questions]
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.full((len(rows), int(lengths.max())), self.tokenizer.PADDING)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
        device = next(self.model.parameters()).device
        return ids.to(device), lengths.to(device)


def _batches(squares: Tensor, questions: Sequence[str]) -> list[slice]:
    if len(squares) != len(questions) or not questions:
        raise ValueError(
            f"Each image needs one question, got {len(squares)} images and "
            f"{len(questions)} questions."
        )
    starts = range(0, len(questions), _BATCH)
    return [slice(start, start + _BATCH) for start in starts]
