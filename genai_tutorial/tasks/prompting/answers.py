"""Asking a model: a task's questions in one prompt, answered or scored."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.generation import generate_all, option_log_likelihoods
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from .prompt import Layout, Prompt, encode_prompt


class FirstLine:
    """Stops a row at the first line break after some text."""

    def __init__(self, tokenizer: BPETokenizer):
        self.tokenizer = tokenizer

    def __call__(self, drawn: Sequence[int]) -> bool:
        """Return whether the tokens finish a line."""
        return "\n" in self.tokenizer.decode(list(drawn)).lstrip()


def answer_prompt(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompt: Prompt,
    questions: Sequence[str],
    layout: Layout = "completion",
    max_new_tokens: int = 12,
    temperature: float | int = 0.0,
    generator: torch.Generator | None = None,
) -> list[str]:
    """Return a model's answer to each question in the same prompt.

    A completion ends with its first line, or before what the template has behind
    answers. A chat ends when the model closes its turn, which takes more tokens.

    Args:
        tokenizer: The model's tokenizer, with the special tokens of ChatML.
        prompt: Everything around a question.
        layout: One of the `LAYOUTS`.
        max_new_tokens: Maximum number of tokens in an answer.
        temperature: 0 is greedy decoding.
        generator: Random generator of the draws.
    """
    encoded = [encode_prompt(tokenizer, prompt, text, layout) for text in questions]
    is_chat = layout in ("chat", "chat with system")
    answers = generate_all(
        model,
        encoded,
        max_new_tokens,
        end_tokens=set(tokenizer.special_tokens.values()),
        stop=None if is_chat else FirstLine(tokenizer),
        temperature=temperature,
        generator=generator,
    )
    texts = [tokenizer.decode(answer) for answer in answers]
    return texts if is_chat else [prompt.cut(text) for text in texts]


def score_labels(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompt: Prompt,
    questions: Sequence[str],
    labels: Sequence[str],
) -> Float[Tensor, "question label"]:
    """Return the log-likelihood of each label as the completion of the prompt, after a
    space, in nats.

    Args:
        tokenizer: The model's tokenizer.
        prompt: Everything around a question; its instruction is left out.
        labels: The possible answers.
    """
    return option_log_likelihoods(
        model,
        [encode_prompt(tokenizer, prompt, text) for text in questions],
        [tokenizer.encode(f" {label}") for label in labels],
    )
