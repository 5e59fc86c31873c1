"""A language model in the page: it continues the reader's text, answers questions, or
shows what comes next.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.edge import PackedModel, pack_model
from genai_tutorial.generation import generate
from genai_tutorial.recipes import load
from genai_tutorial.tokenization import (
    BPETokenizer,
    CharacterTokenizer,
    ChatTemplate,
    Message,
)

from .box import BrowserBox, model_entry, preformatted, table

SIGNS = {" ": "space", "\n": "line break"}


def pack_published(name: str) -> PackedModel:
    """Pack one of the book's own language models, without drawing random numbers.

    Raises:
        ValueError: If there is no such recipe, or the engine in the page cannot run
            its model.
    """
    with torch.random.fork_rng(devices=[]):  # torch's layers draw weights when made
        return pack_model(name, *load(name))


@dataclass(frozen=True)
class Answerer:
    """A model, and the form in which it gets a question.

    Attributes:
        template: The chat template that it was trained with; None for a base model,
            which continues the question as a text.
    """

    packed: PackedModel
    template: ChatTemplate | None


class BrowserModel(BrowserBox):
    """A text box in which a language model continues the reader's text, with
    temperature and top-p. Make it the last expression of a cell.

    Args:
        packed: The model. On a page of the book it must be a published one, packed
            under its own name.
        prompt: The text that the box begins with.
        label: The box's title.
        seed: Seed of the text that is recorded, at temperature 0.8.

    Attributes:
        sample: The recorded text, with the prompt: by PyTorch, with the same weights.

    Raises:
        ValueError: If the prompt is empty or has characters that the model does not
            know.
    """

    def __init__(
        self,
        packed: PackedModel,
        prompt: str,
        label: str = "The model in this page",
        tokens: int = 200,
        seed: int = 0,
    ):
        tokenizer = packed.unpack()[1]
        ids = tokenizer.encode(prompt)
        if not ids:
            raise ValueError("prompt must have at least one character, got none.")
        stop = _special(tokenizer)
        self.sample = prompt + _continue(packed, ids, tokens, stop, 0.8, seed)
        settings = {"prompt": prompt, "tokens": tokens, "stop": stop}
        super().__init__(
            "text",
            label,
            {"models": [model_entry(packed)], **settings},
            preformatted(self.sample),
            f"[Recorded in advance: {label}]\n{self.sample}",
            [packed],
        )


class BrowserChat(BrowserBox):
    """A question box whose answers come from one or several models, side by side. Make
    it the last expression of a cell.

    Args:
        answerers: The models, by the name above each answer.
        questions: Questions to begin with, each a button; the first is filled in.
        label: The box's title.
        tokens: The largest number of tokens of an answer.

    Attributes:
        answers: The recorded answers, at temperature 0, by question and model.

    Raises:
        ValueError: If there is no model or no question.
    """

    def __init__(
        self,
        answerers: Mapping[str, Answerer],
        questions: Sequence[str],
        label: str = "Ask the model in this page",
        tokens: int = 32,
    ):
        if not answerers or not questions:
            raise ValueError(
                "A chat needs at least one model and one question, got "
                f"{len(answerers)} and {len(questions)}."
            )
        entries = []
        self.answers: dict[str, dict[str, str]] = {text: {} for text in questions}
        for name, answerer in answerers.items():
            tokenizer = answerer.packed.unpack()[1]
            template, stop = answerer.template, _special(tokenizer)
            marks = template and {"start": template.start, "end": template.end}
            entries.append(
                model_entry(answerer.packed)
                | {"title": name, "template": marks, "stop": stop}
            )
            for text in questions:
                ids = (
                    tokenizer.encode(text)
                    if template is None
                    else template.encode(tokenizer, [Message("user", text)])
                )
                answer = _continue(answerer.packed, ids, tokens, stop, 0.0, 0)
                self.answers[text][name] = answer.strip()
        lines = [
            f"{text}\n  {name}: {answer}"
            for text, answers in self.answers.items()
            for name, answer in answers.items()
        ]
        super().__init__(
            "chat",
            label,
            {"models": entries, "questions": list(questions), "tokens": tokens},
            _exchanges(self.answers),
            "\n".join([f"[Recorded in advance: {label}]", *lines]),
            [answerer.packed for answerer in answerers.values()],
        )


class BrowserNextToken(BrowserBox):
    """A text box with the probabilities of the next token, which change as the reader
    types, and the cross-entropy of the reader's text. Make it the last expression of a
    cell.

    Args:
        text: The text that the box begins with, of two tokens or more.
        label: The box's title.
        unit: The name of a token, such as "character".
        shown: The number of tokens to show.

    Attributes:
        probabilities: The recorded probabilities of the tokens shown.

    Raises:
        ValueError: If the text is too short.
    """

    def __init__(
        self,
        packed: PackedModel,
        text: str,
        label: str = "What comes next?",
        unit: str = "token",
        shown: int = 8,
    ):
        model, tokenizer = packed.unpack()
        ids = torch.tensor([tokenizer.encode(text)[-model.config.context_length :]])
        if ids.shape[1] < 2:
            raise ValueError(f"text must have two tokens or more, got {text!r}.")
        with torch.no_grad():
            log_probs = model(ids)[0].log_softmax(dim=-1)
        nats = -log_probs[:-1].gather(1, ids[0, 1:, None]).mean().item()
        best = log_probs[-1].exp().topk(shown)
        names = [tokenizer.decode([index]) for index in best.indices.tolist()]
        self.probabilities = dict(zip(names, best.values.tolist(), strict=True))
        rows = [
            [SIGNS.get(token, token), f"{probability:.1%}", ""]
            for token, probability in self.probabilities.items()
        ]
        summary = (
            f"Most probable next: {rows[0][0]}. "
            f"Your text costs {nats:.2f} nats per {unit}."
        )
        lines = [f"  {token}: {share}" for token, share, _ in rows]
        settings = {"prompt": text, "shown": shown, "unit": unit}
        super().__init__(
            "next",
            label,
            {"models": [model_entry(packed)], **settings},
            f'<pre>{html.escape(text)}</pre><p class="genai-browser-summary">{summary}'
            "</p>" + table(f"The next {unit}", [unit, "probability", "as a bar"], rows),
            "\n".join([f"[Recorded in advance: {label}]", text, summary, *lines]),
            [packed],
        )


def _exchanges(answers: Mapping[str, Mapping[str, str]]) -> str:
    """Return questions with the answers to each, as HTML."""
    exchanges = []
    for question, by_name in answers.items():
        groups = "".join(
            f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(answer)}</dd></div>"
            for name, answer in by_name.items()
        )
        exchanges.append(
            f'<div class="genai-browser-exchange"><strong>{html.escape(question)}'
            f"</strong><dl>{groups}</dl></div>"
        )
    return f'<div class="genai-browser-log">{"".join(exchanges)}</div>'


def _special(tokenizer: BPETokenizer | CharacterTokenizer) -> list[int]:
    """Return the tokens that end a text: all special ones."""
    return sorted(getattr(tokenizer, "special_tokens", {}).values())


def _continue(
    packed: PackedModel,
    ids: list[int],
    tokens: int,
    stop: list[int],
    temperature: float,
    seed: int,
) -> str:
    model, tokenizer = packed.unpack()
    text = generate(
        model,
        torch.tensor([ids]),
        tokens,
        temperature=temperature,
        stop_tokens=stop,
        generator=torch.Generator().manual_seed(seed),
    )[0].tolist()[len(ids) :]
    return tokenizer.decode(text[:-1] if text and text[-1] in stop else text)
