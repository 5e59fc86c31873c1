"""The command `chat`: a conversation with SmolLM2 or a model of the book, in the book's
own decoder.
"""

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
from genai_tutorial.pretrained.smollm2 import load_smollm2
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.transformer import DecoderLM

# What a terminal would take for a command: all control characters but the line break
# and the tab.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Conversation:
    """What has been said, and the model that answers.

    The model reads each token once: its cache goes on from one turn to the next. Where
    the context is full, the oldest turns are forgotten; what the system said is kept.

    Args:
        model: Maps tokens to the scores of the next.
        tokenizer: The model's own.
        template: How the model was taught to read a conversation.
        remembers: Whether it reads the earlier turns with each question.
        system: What the model is told at the start; None for the template's default.
        max_tokens: The most tokens of an answer.
        temperature: See `next_token_probabilities`.
        top_p: The same.
        seed: Where the chance starts.

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
        """Return the tokens of the conversation with one more question, and how many
        old turns had to go for it.

        Raises:
            ValueError: If the question alone does not fit, or is no text.
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
        """Yield the answer to what `prepare` returned: one piece of text for each
        token, half a character being none.

        However it ends, what was said by then is remembered; a question that got no
        word is not.
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
    """Answers each line of the input until it ends."""
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
        _note(profile.greeting)
    try:
        for line in _lines(interactive):
            try:
                ids, forgotten = conversation.prepare(line)
            except ValueError as error:
                if not interactive:
                    raise UserError(str(error), NOT_POSSIBLE) from error
                _note(str(error))
                continue
            if forgotten:
                _note(
                    f"The context is full: the {forgotten} oldest turns are forgotten."
                )
            _say(conversation.answer(ids), max_tokens)
    # whoever read the answers has enough; Python would complain once more when it ends
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load(precision: str) -> tuple[DecoderLM, BPETokenizer]:
    """Load SmolLM2 with its weights kept as told."""
    if precision == "bf16":
        return load_smollm2(torch.bfloat16)
    model, tokenizer = load_smollm2()
    return quantized(model, {"fp32": "float32"}.get(precision, precision)), tokenizer


def _lines(interactive: bool) -> Iterator[str]:
    """Yield what the user says, a line at a time; lines of nothing but spaces are
    skipped.
    """
    if interactive:
        with suppress(ImportError):  # Windows has none
            import readline  # noqa: F401  -- from now on the arrow keys edit the line, and bring back earlier ones
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
            _note("Ctrl-D ends the conversation.")
            continue
        if line.strip():
            yield line


def _say(pieces: Generator[str, None, None], max_tokens: int) -> None:
    """Print an answer as it comes, and on the error stream how fast it came."""
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
    _note(f"{len(times)} tokens{speed}{ending}")


def _note(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        text, style="dim", markup=False
    )
