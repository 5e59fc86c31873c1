"""Asking a vision-language model in words: it reads the image and the question, and the
answer is generated greedily.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Num
from torch import Tensor

from genai_tutorial.multimodal.gated_attention import CrossAttentionModel
from genai_tutorial.multimodal.one_stream import StreamModel
from genai_tutorial.multimodal.vision_language import VisionLanguageModel
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.transformer import AttentionContext

_BATCH = 500
"""The number of questions that are answered at a time."""


class ImageReader(NamedTuple):
    """A vision-language model with its tokenizer.

    Attributes:
        model: The model.
        tokenizer: The tokenizer of questions and answers.
    """

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
            questions: One question for each image.
            max_tokens: The largest number of tokens of an answer, with its end.

        Raises:
            ValueError: If there are not as many questions as images, a question has a
                word that the tokenizer lacks, or the model reads no prefix.
        """
        _check_pairs(squares, questions)
        if not isinstance(self.model, VisionLanguageModel):
            raise ValueError(
                "Only a VisionLanguageModel reads the image as a prefix that a cache "
                "can hold; use first_words for this model."
            )
        answers = []
        for start in range(0, len(questions), _BATCH):
            part = slice(start, start + _BATCH)
            answers += self._answer(squares[part], questions[part], max_tokens)
        return answers

    def first_words(
        self, squares: Num[Tensor, "n square *features"], questions: Sequence[str]
    ) -> list[str]:
        """Return the likeliest first word of each answer, from a single forward pass:
        enough for questions with answers of one word.

        Args:
            squares: The images' vectors, from `model.look`; for a `StreamModel` their
                codes.
            questions: One question for each image.

        Raises:
            ValueError: If there are not as many questions as images, or a question has
                a word that the tokenizer lacks.
        """
        _check_pairs(squares, questions)
        words = []
        for start in range(0, len(questions), _BATCH):
            part = slice(start, start + _BATCH)
            chances = self.probabilities(squares[part], questions[part])
            likeliest = chances[:, : self.tokenizer.vocab_size].argmax(dim=1)
            words += [self.tokenizer.decode([token]) for token in likeliest.tolist()]
        return words

    @torch.no_grad()
    def probabilities(
        self, squares: Num[Tensor, "n square *features"], questions: Sequence[str]
    ) -> Float[Tensor, "n token"]:
        """Return the probability of each token as the first of the answer.

        Raises:
            ValueError: If there are not as many questions as images, or a question has
                a word that the tokenizer lacks.
        """
        _check_pairs(squares, questions)
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


def _check_pairs(squares: Tensor, questions: Sequence[str]) -> None:
    if len(squares) != len(questions) or not questions:
        raise ValueError(
            f"Each image needs one question, got {len(squares)} images and "
            f"{len(questions)} questions."
        )
