"""The command `chat`: a conversation with SmolLM2 or one of the book's models."""

import os
import re
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress

import torch
from rich.console import Console

from genai_tutorial.cli.chat_models import CHAT_PROFILES, Template, load_own
from genai_tutorial.cli.user_errors import (
    NOT_POSSIBLE,
    WRONG_USE,
    UserError,
    user_errors,
)
from genai_tutorial.efficiency import quantized
from genai_tutorial.generation import next_token_probabilities, stream
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.transformer import DecoderLM

# Control characters other than line breaks and tabs, which a terminal might interpret.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Conversation:
    """A conversation: its turns so far, and the model that answers.

    The model processes each token once, because its cache is kept between turns. When
    the context is full, the oldest turns are dropped; the system message is kept.

    Args:
        model: Language model that answers.
        tokenizer: Tokenizer of the model.
        template: Chat template of the model.
        remembers: Whether the model gets earlier turns along with each question.
        system: System message; None for the template's default.
        max_tokens: Maximum number of tokens per answer.
        temperature: See `next_token_probabilities`.
        top_p: See `next_token_probabilities`.
        seed: Random seed for sampling.

    Raises:
        ValueError: If an answer of `max_tokens` does not fit into the context.
    """

    def __init__(
        self,
        model: DecoderLM,
        tokenizer: BPETokenizer,
        template: Template = SMOLLM2_CHAT,
        *,
        remembers: bool = True,
        system: str | None = None,
        max_tokens: int = 512,
        temperature: float | int = 0.2,
        top_p: float | int | None = None,
        seed: int = 0,
    ):
        self.model, self.tokenizer, self.template = model, tokenizer, template
        self.max_tokens, self.temperature, self.top_p, self.remembers = (
            max_tokens,
            temperature,
            top_p,
            remembers,
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.system = [] if system is None else [Message("system", system)]
        self.turns: list[Message] = []  # user, assistant, user, assistant and so on
        self.room = model.config.context_length - max_tokens
        if self.room < len(self._encode([])):
            raise ValueError(
                f"The model sees {model.config.context_length} tokens at once: what "
                "the system says and an answer of "
                f"--max-tokens {max_tokens} do not fit. Ask for shorter answers."
            )
        self.cache = model.make_cache()

    def prepare(self, text: str) -> tuple[list[int], int]:
        """Return the tokens of the conversation including a new question, and the
        number of old turns that were dropped.

        Raises:
            ValueError: If the question alone does not fit, or is not valid text.
        """
        question = Message("user", text)
        alone = len(self._encode([question]))
        if alone > self.room:
            raise ValueError(
                f"That is too long: with what the system says it has {alone} tokens, "
                "and there is room for "
                f"{self.room}. Shorten it, or ask for shorter answers with "
                "--max-tokens."
            )
        if not self.remembers:
            self.turns = []
        forgotten = 0
        while len(ids := self._encode([*self.turns[forgotten:], question])) > self.room:
            forgotten += 2
        self.turns = [*self.turns[forgotten:], question]
        return ids, forgotten

    def answer(self, ids: list[int]) -> Generator[str, None, None]:
        """Yield the answer to a prepared prompt, one piece of text per token. The piece
        is empty if the token ends within a character.

        If the answer is interrupted, the part so far is kept in the conversation. A
        question without any answer is not.
        """
        pieces, decoder = [], self.tokenizer.stream()
        tokens = stream(
            self.model,
            ids,
            self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop_tokens=self.tokenizer.special_tokens.values(),
            generator=self.generator,
            cache=self.cache,
        )
        try:
            for token in tokens:
                pieces.append(decoder.push(token))
                yield pieces[-1]
        finally:
            said = "".join(pieces)
            self.turns = (
                [*self.turns, Message("assistant", said)] if said else self.turns[:-1]
            )

    def _encode(self, turns: list[Message]) -> list[int]:
        return self.template.encode(self.tokenizer, [*self.system, *turns])


def chat(
    model: str,
    system: str | None,
    temperature: float,
    top_p: float | None,
    max_tokens: int | None,
    seed: int,
    precision: str | None,
) -> None:
    """Answer each line of the input until it ends."""
    profile = CHAT_PROFILES[model]
    max_tokens = profile.max_tokens if max_tokens is None else max_tokens
    # before the model is loaded, which takes seconds
    with user_errors(ValueError, exit_code=WRONG_USE):
        next_token_probabilities(torch.zeros(2), temperature, top_p=top_p)
        if system is not None and not profile.takes_system:
            raise ValueError(
                f"--system is for smollm2: {model} was not taught to listen to a "
                "system turn."
            )
        if precision is not None and model != "smollm2":
            raise ValueError(
                f"--precision is for smollm2: {model} is small enough to stay as it is."
            )
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with user_errors(ValueError, NotImplementedError, exit_code=NOT_POSSIBLE):
        decoder, tokenizer = (
            load(precision or "int4") if model == "smollm2" else load_own(model)
        )
    with user_errors(ValueError, exit_code=WRONG_USE):
        conversation = Conversation(
            decoder,
            tokenizer,
            profile.template,
            remembers=profile.remembers,
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
        )
    if interactive:
        note(profile.greeting)
    try:
        for line in read_lines(interactive):
            try:
                ids, forgotten = conversation.prepare(line)
            except ValueError as error:
                if not interactive:
                    raise UserError(str(error), NOT_POSSIBLE) from error
                note(str(error))
                continue
            if forgotten:
                note(f"The context is full: the {forgotten} oldest turns were dropped.")
            _say(conversation.answer(ids), max_tokens)
    # The program that read the answers has stopped; otherwise Python would report the
    # broken pipe again at exit.
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load(precision: str) -> tuple[DecoderLM, BPETokenizer]:
    """Load SmolLM2 with its weights in the given format."""
    if precision == "bf16":
        return load_smollm2(torch.bfloat16)
    model, tokenizer = load_smollm2()
    return quantized(model, {"fp32": "float32"}.get(precision, precision)), tokenizer


def read_lines(interactive: bool) -> Iterator[str]:
    """Yield the user's lines, except for blank ones."""
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
            raise UserError(
                f"The input is no text in {error.encoding}: {error.reason}.",
                NOT_POSSIBLE,
            ) from error
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
                print(
                    CONTROL.sub("", piece if times else piece.lstrip(" ")),
                    end="",
                    flush=True,
                )
                times.append(time.perf_counter())
    except KeyboardInterrupt:
        ending = ", stopped"
    if len(times) == max_tokens:
        ending = ", cut off by --max-tokens"
    print(flush=True)
    speed = (
        f", {(len(times) - 1) / (times[-1] - times[0]):.0f} tokens/s"
        if len(times) > 1
        else ""
    )
    note(f"{len(times)} tokens{speed}{ending}")


def note(text: str) -> None:
    """Print a line on standard error that is not part of an answer."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        text, style="dim", markup=False
    )
