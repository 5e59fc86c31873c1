"""The command `chat`: a conversation with SmolLM2 or one of the book's models."""

import os
import re
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from genai_tutorial import recipes
from genai_tutorial.efficiency import quantized
from genai_tutorial.generation import repetition_penalty, stream
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.tasks.assistant import CHAT, MAX_ANSWER_TOKENS
from genai_tutorial.tokenization import (
    SMOLLM2_CHAT,
    BPETokenizer,
    ChatTemplate,
    Message,
)
from genai_tutorial.transformer import DecoderLM

from .user_errors import NOT_POSSIBLE, WRONG_USE, UserError, user_errors

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters other than line breaks and tabs, which a terminal might interpret.
"""


class Continuation:
    """The template of the base model: it continues the user's text."""

    def encode(self, tokenizer: BPETokenizer, messages: Sequence[Message]) -> list[int]:
        text = messages[-1].content if messages else ""
        return tokenizer.encode(text, special_as_text=True)


@dataclass(frozen=True)
class ChatProfile:
    """The chat template of a model, the message at the start, defaults, and whether the
    model was trained on several turns.
    """

    template: ChatTemplate | Continuation
    greeting: str
    max_tokens: int
    remembers: bool = False
    penalty: float | int = 1


CHAT_PROFILES = {
    "smollm2": ChatProfile(
        SMOLLM2_CHAT,
        "SmolLM2, 135 million parameters: quick, fluent, and often wrong. Ctrl-C stops "
        "an answer, Ctrl-D ends.",
        max_tokens=512,
        remembers=True,
        penalty=1.1,  # without it, long answers fall into loops
    ),
    "base": ChatProfile(
        Continuation(),
        "The base model of chapter 12: it continues what you begin, such as "
        '"The capital of Kenya is". Ctrl-C stops it, Ctrl-D ends.',
        max_tokens=60,
    ),
    "sft": ChatProfile(
        CHAT,
        "The assistant of chapter 13: it answers questions about countries, each by "
        "itself. Ctrl-D ends.",
        max_tokens=MAX_ANSWER_TOKENS,
    ),
    "ppo": ChatProfile(
        CHAT,
        "The assistant of chapter 14, trained on preferences: it answers each question "
        "by itself. Ctrl-D ends.",
        max_tokens=MAX_ANSWER_TOKENS,
    ),
}
"""The models of `chat`: SmolLM2, and the book's own at each stage of training."""


class Conversation:
    """The turns so far and the model that answers, which reads each token once. When
    the context is full, the oldest turns are dropped.
    """

    def __init__(
        self,
        model: DecoderLM,
        tokenizer: BPETokenizer,
        profile: ChatProfile = CHAT_PROFILES["smollm2"],
        *,
        system: str | None = None,
        max_tokens: int,
        temperature: float | int,
        top_p: float | int | None = None,
        penalty: float | int = 1,
        seed: int = 0,
    ):
        self.model, self.tokenizer, self.profile = model, tokenizer, profile
        self.max_tokens, self.temperature, self.top_p = max_tokens, temperature, top_p
        self.penalty = penalty
        self.generator = torch.Generator().manual_seed(seed)
        self.system = [] if system is None else [Message("system", system)]
        self.turns: list[Message] = []  # user, assistant, user, assistant and so on
        self.room = model.config.context_length - max_tokens
        if self.room < len(self._encode([])):
            raise ValueError(
                f"The model sees {model.config.context_length} tokens at once: what "
                f"the system says and an answer of --max-tokens {max_tokens} do not "
                "fit. Ask for shorter answers."
            )
        self.cache = model.make_cache()

    def prepare(self, text: str) -> tuple[list[int], int]:
        """Return the tokens of the conversation including a new question, and the
        number of old turns that were dropped.
        """
        question = Message("user", text)
        alone = len(self._encode([question]))
        if alone > self.room:
            raise ValueError(
                f"That is too long: with what the system says it has {alone} tokens, "
                f"and there is room for {self.room}. Shorten it, or ask for shorter "
                "answers with --max-tokens."
            )
        if not self.profile.remembers:
            self.turns = []
        forgotten = 0
        while len(ids := self._encode([*self.turns[forgotten:], question])) > self.room:
            forgotten += 2
        self.turns = [*self.turns[forgotten:], question]
        return ids, forgotten

    def answer(self, ids: list[int]) -> Generator[str, None, None]:
        """Yield the answer to a prepared prompt, one piece of text per token, empty if
        the token ends within a character. An interrupted answer stays in the
        conversation; a question without any answer does not.
        """
        pieces, decoder = [], self.tokenizer.stream()

        def penalize(logits: Tensor, text: Tensor) -> Tensor:
            # repetitions within the answer: it may well repeat the question
            return repetition_penalty(logits, text[:, len(ids) :], self.penalty)

        tokens = stream(
            self.model,
            ids,
            self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            processor=penalize,
            stop_tokens=self.tokenizer.special_tokens.values(),
            generator=self.generator,
            cache=self.cache,
        )
        try:
            for token in tokens:
                pieces.append(decoder.push(token))
                yield pieces[-1]
        finally:
            said = [Message("assistant", "".join(pieces))]
            self.turns = self.turns + said if said[0].content else self.turns[:-1]

    def _encode(self, turns: list[Message]) -> list[int]:
        return self.profile.template.encode(self.tokenizer, [*self.system, *turns])


def chat(
    model: str,
    precision: str | None,
    max_tokens: int | None,
    *,
    penalty: float | None,
    **sampling: str | float | int | None,
) -> None:
    """Answer each line of the input until it ends."""
    profile = CHAT_PROFILES[model]
    max_tokens = profile.max_tokens if max_tokens is None else max_tokens
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with (
        user_errors(ValueError, NotImplementedError, exit_code=NOT_POSSIBLE),
        working(f"loading {model}"),
    ):
        is_own = model != "smollm2"
        loaded = load_own(model) if is_own else load(precision or "int4")
    with user_errors(ValueError, exit_code=WRONG_USE):
        conversation = Conversation(
            *loaded,
            profile,
            max_tokens=max_tokens,
            penalty=profile.penalty if penalty is None else penalty,
            **sampling,
        )
    if interactive:
        note(profile.greeting)

    def answer(line: str) -> None:
        ids, forgotten = conversation.prepare(line)
        if forgotten:
            note(f"The context is full: the {forgotten} oldest turns were dropped.")
        _say(conversation.answer(ids), max_tokens)

    answer_lines(answer, interactive)


def load_own(model: str) -> tuple[DecoderLM, BPETokenizer]:
    return recipes.load(f"factbook-{model}")


def load(precision: str) -> tuple[DecoderLM, BPETokenizer]:
    if precision == "bf16":
        return load_smollm2(torch.bfloat16)
    model, tokenizer = load_smollm2()
    return quantized(model, {"fp32": "float32"}.get(precision, precision)), tokenizer


def answer_lines(answer: Callable[[str], None], interactive: bool) -> None:
    """Answer each line of the input. When a person types, an error ends only that
    answer.
    """
    try:
        for line in _lines(interactive):
            try:
                answer(line)
            except ValueError as error:
                if not interactive:
                    raise UserError(str(error), NOT_POSSIBLE) from error
                note(str(error))
            except KeyboardInterrupt:
                if not interactive:
                    raise
                note("stopped")
    except BrokenPipeError:  # otherwise Python would report it again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lines(interactive: bool) -> Iterator[str]:
    if interactive:
        with suppress(ImportError):  # Windows has none
            import readline  # noqa: F401  -- enables line editing and history with the arrow keys
    while True:
        try:
            line = input("> " if interactive else "")
        except EOFError:
            if interactive:
                print()
            return
        except UnicodeDecodeError as error:
            message = f"The input is no text in {error.encoding}: {error.reason}."
            raise UserError(message, NOT_POSSIBLE) from error
        except KeyboardInterrupt:
            if not interactive:
                raise
            print()
            note("Ctrl-D ends the conversation.")
            continue
        if line.strip():
            yield line


def _say(pieces: Generator[str, None, None], max_tokens: int) -> None:
    """Print an answer token by token, and its speed on standard error."""
    times, ending = [], ""
    try:
        with closing(pieces):
            for piece in pieces:
                text = CONTROL.sub("", piece if times else piece.lstrip(" "))
                print(text, end="", flush=True)
                times.append(time.perf_counter())
    except KeyboardInterrupt:
        ending = ", stopped"
    if len(times) == max_tokens:
        ending = ", cut off by --max-tokens"
    print(flush=True)
    speed = ""
    if len(times) > 1:
        speed = f", {(len(times) - 1) / (times[-1] - times[0]):.0f} tokens/s"
    note(f"{len(times)} tokens{speed}{ending}")


def note(text: str) -> None:
    """Print a line on standard error that is not part of an answer."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(text, style="dim", markup=False)


def working(label: str) -> Progress:
    """Return a context that shows a moving bar on a real terminal, and nothing else."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    is_hidden = not console.is_terminal
    bar = Progress(*columns, console=console, transient=True, disable=is_hidden)
    bar.add_task(label, total=None)
    return bar
