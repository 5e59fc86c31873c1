"""The command `chat --documents`: answers from the user's own texts, with their places.

The index is in memory: nothing is written to the disk.
"""

import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.cli import chat
from genai_tutorial.cli.documents import Place, read_folder
from genai_tutorial.cli.user_errors import (
    NOT_POSSIBLE,
    WRONG_USE,
    UserError,
    user_errors,
)
from genai_tutorial.pretrained import load_minilm
from genai_tutorial.retrieval import (
    ChatModel,
    GroundedAnswer,
    Passage,
    PassageStore,
    SentenceVectors,
    answer_or_abstain,
    grounded_prompt,
)
from genai_tutorial.runtime import record
from genai_tutorial.tokenization import SMOLLM2_CHAT

PASSAGES, MAX_TOKENS = 3, 60


class Library:
    """The passages of a folder with their vectors, searched by meaning.

    Args:
        places: The passages.
        encoder: The sentence encoder.
        show_progress: Whether to show a progress bar while the passages are encoded.
    """

    def __init__(
        self,
        places: Sequence[Place],
        encoder: SentenceVectors,
        show_progress: bool = False,
    ):
        self.encoder = encoder
        self.store = PassageStore(":memory:", encoder.width)
        texts = [place.text for place in places]
        ids = self.store.add(
            [Passage(place.text, place.file) for place in places],
            encoder.encode(texts, show_progress=show_progress),
        )
        self.places = dict(zip(ids, places, strict=True))

    def find(self, question: str) -> tuple[list[Place], float]:
        """Return the passages whose vectors are nearest to that of a question, nearest
        first, and the cosine between the question and the first.
        """
        found = self.store.search_vectors(self.encoder.encode([question])[0], PASSAGES)
        # the score is the negative squared distance of two vectors of length one
        return [self.places[hit.id] for hit in found], 1 + found[0].score / 2


@dataclass(frozen=True)
class AnswerModel(ChatModel):
    """A chat model with its own limit on the length of answers.

    Attributes:
        max_tokens: The largest number of tokens in an answer.
    """

    max_tokens: int = MAX_TOKENS

    def answers(
        self,
        requests: Sequence[str],
        max_new_tokens: int | None = None,
        batch_size: int = 16,
    ) -> list[str]:
        """Return the likeliest answers, by default of at most `max_tokens`."""
        limit = self.max_tokens if max_new_tokens is None else max_new_tokens
        return super().answers(requests, limit, batch_size)

    def check(self, question: str, places: Sequence[Place]) -> None:
        """Check that a question, its passages and an answer fit into the context.

        Raises:
            ValueError: If they do not.
        """
        prompt = grounded_prompt(question, [place.text for place in places])
        tokens = len(self.encode(prompt))
        room = self.model.config.context_length - self.max_tokens
        if tokens > room:
            raise ValueError(
                f"That is too long: with the passages it has {tokens} tokens, and "
                f"there is room for {room}. Shorten it."
            )


def abstention_threshold() -> float:
    """Return the cosine below which chapter 21 declines a question: the median of its
    record's five seeds.
    """
    runs = record("retrieval")["abstention"].values()
    return statistics.median(run["threshold"] for run in runs)


def chat_about(
    folder: Path,
    model: str,
    system: str | None,
    top_p: float | None,
    max_tokens: int | None,
    precision: str | None,
) -> None:
    """Answer each line of the input from the texts in a folder."""
    if model != "smollm2" or system is not None or top_p is not None:
        raise UserError(
            "--documents is for smollm2 and its likeliest answers: leave out --model, "
            "--system and --top-p.",
            WRONG_USE,
        )
    with user_errors(ValueError, NotADirectoryError, exit_code=WRONG_USE):
        places, left_out = read_folder(folder)
    for sentence in left_out:
        chat.note(chat.CONTROL.sub("", sentence))
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with user_errors(ValueError, NotImplementedError, exit_code=NOT_POSSIBLE):
        decoder, tokenizer = chat.load(precision or "int4")
        library = Library(places, load_minilm(), show_progress=interactive)
    answerer = AnswerModel(decoder, tokenizer, SMOLLM2_CHAT, max_tokens or MAX_TOKENS)
    threshold = abstention_threshold()
    files = len({place.file for place in places})
    chat.note(
        f"Passages: {len(places)}, files: {files}. Each question is answered by "
        "itself. Ctrl-D ends."
    )
    try:
        with closing(library.store):
            _answer_lines(answerer, library, threshold, interactive)
    except BrokenPipeError:  # as in `chat`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer_lines(
    answerer: AnswerModel, library: Library, threshold: float, interactive: bool
) -> None:
    """Answer each line of the input. Where a person types, an error ends only its own
    answer.
    """
    for question in chat.read_lines(interactive):
        try:
            _answer(answerer, library, question, threshold)
        except ValueError as error:
            if not interactive:
                raise UserError(str(error), NOT_POSSIBLE) from error
            chat.note(str(error))
        except KeyboardInterrupt:
            if not interactive:
                raise
            chat.note("stopped")


def _answer(
    answerer: AnswerModel, library: Library, question: str, threshold: float
) -> None:
    """Print an answer and the place that it is from."""
    places, cosine = library.find(question)
    if cosine >= threshold:
        answerer.check(question, places)
    texts = [place.text for place in places]
    answer = answer_or_abstain(answerer, question, texts, cosine, threshold)
    print(chat.CONTROL.sub("", _with_source(answer, places)), flush=True)
    if cosine < threshold:
        chat.note(
            chat.CONTROL.sub(
                "",
                f"The nearest passage is in {places[0]}: its cosine with the question "
                f"is {cosine:.2f}, below {threshold:.2f}.",
            )
        )


def _with_source(answer: GroundedAnswer, places: Sequence[Place]) -> str:
    if answer.abstained:
        return answer.text
    if not answer.citations:
        return f"{answer.text}\nNo passage makes this answer more probable."
    cited = [str(places[number - 1]) for number in answer.citations]
    return f"{answer.text}\nSource: {'; '.join(cited)}"
