"""The command `chat --documents`: answers from the user's own texts, with citations.
Nothing is written to the disk.
"""

import os
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.pretrained import load_minilm
from genai_tutorial.retrieval import (
    BM25Index,
    ChatModel,
    GroundedAnswer,
    SentenceVectors,
    answer_or_abstain,
    chunk_sentences,
    chunk_text,
    grounded_prompt,
)
from genai_tutorial.tokenization import SMOLLM2_CHAT

from . import chat
from .user_errors import NOT_POSSIBLE, WRONG_USE, user_errors

PASSAGES, MAX_TOKENS = 3, 60

THRESHOLD = 0.45
"""The cosine with the nearest passage below which a question is declined. Chapter 21
has a higher one, for questions in the words of its almanac; people use other words.
"""

SUFFIXES = (".txt", ".md")
UNREAD = (".pdf", ".docx", ".odt", ".rtf", ".html", ".epub", ".tex", ".csv")
"""The endings of other files with text, which are named as left out."""

LARGEST_FILE, LARGEST_FOLDER = 10_000_000, 50_000_000  # bytes
MOST_ENCODED, CANDIDATES = 5_000, 200
"""The number of passages up to which all are encoded at the start; of more, MiniLM
encodes for each question only those that share most words with it. In a trial with
19,738 foreign passages, these held the passage of 22 of 32 questions in other words.
"""

JOINED_WORDS, LONGEST_PASSAGE = 12, 60
"""The number of words up to which short sentences are joined, and above which a long
one is split. Short passages fit a question better than long ones about several things.
"""


@dataclass(frozen=True)
class Place:
    """A passage of a file: its text on one line, and where it is in the file."""

    text: str
    file: str
    start: int
    end: int
    first_line: int
    last_line: int

    def __str__(self) -> str:
        lines = f"line {self.first_line}"
        if self.first_line != self.last_line:
            lines = f"lines {self.first_line} to {self.last_line}"
        return f"{self.file}, {lines} (characters {self.start} to {self.end})"


def read_folder(folder: Path) -> tuple[list[Place], list[str]]:
    """Return the passages of all texts in a folder and its subfolders, and a sentence
    for each file or folder that was left out. Hidden files are not read.
    """
    places, left_out, total = [], [], 0

    def unreadable(error: OSError) -> None:
        name = Path(error.filename).relative_to(folder).as_posix()
        left_out.append(f"The folder {name} is left out: {error.strerror}.")

    for path in _files(folder, unreadable):
        name = path.relative_to(folder).as_posix()
        try:
            text = _read(path, room=LARGEST_FOLDER - total)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            left_out.append(f"{name} is left out: {reason}.")
            continue
        total += len(text.encode())
        places += split_text(text, name)
    if not places:
        problem = f"{folder} has no .txt or .md file with text in it."
        raise ValueError(" ".join([problem, *left_out]))
    return places, left_out


def split_text(text: str, file: str) -> list[Place]:
    """Return the passages of a text: its sentences, of which short ones are joined and
    very long ones split.

    >>> [str(place) for place in split_text("Lima is in Peru.\\n\\nIt rains.", "a.md")]
    ['a.md, lines 1 to 3 (characters 0 to 27)']
    """
    places = []
    breaks = [place for place, sign in enumerate(text) if sign == "\n"]
    for sentences in chunk_sentences(text, JOINED_WORDS):
        for part in chunk_text(sentences.text, LONGEST_PASSAGE):
            start, end = sentences.start + part.start, sentences.start + part.end
            line = bisect_left(breaks, start) + 1
            last_line = line + part.text.count("\n")
            words = " ".join(part.text.split())
            places.append(Place(words, file, start, end, line, last_line))
    return places


def _files(folder: Path, unreadable: Callable[[OSError], None]) -> Iterator[Path]:
    """Yield the paths of all files that could be meant, sorted."""
    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            ending = Path(name).suffix.lower()
            if not name.startswith(".") and ending in (*SUFFIXES, *UNREAD):
                yield Path(parent, name)


def _read(path: Path, room: int) -> str:
    """Return the text of a file, or say in a ValueError why it is left out."""
    if path.suffix.lower() in UNREAD:
        raise ValueError(f"only {' and '.join(SUFFIXES)} files are read")
    if not path.is_file():
        raise ValueError("it is not an ordinary file")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(f"it has more than {LARGEST_FILE // 1_000_000} MB")
    if len(content) > room:
        room = LARGEST_FOLDER // 1_000_000
        raise ValueError(f"the files before it have nearly {room} MB together")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"it is not UTF-8 text (byte {error.start} is not valid)"
        raise ValueError(problem) from error
    if "\0" in text:
        raise ValueError("it has null characters, so it is not text")
    if not text.strip():
        raise ValueError("it is empty")
    return text


class Library:
    """The passages of a folder, searched by meaning; of very many, by words first."""

    def __init__(
        self, places: Sequence[Place], encoder: SentenceVectors, show_progress: bool
    ):
        self.places, self.encoder = places, encoder
        texts = [place.text for place in places]
        self.index = BM25Index(texts) if len(texts) > MOST_ENCODED else None
        if self.index is None:
            self.vectors = encoder.encode(texts, show_progress=show_progress)

    def find(self, question: str) -> tuple[list[Place], float]:
        """Return the passages whose vectors are nearest to a question's, nearest first,
        and the cosine between the question and the first.
        """
        places = self.places
        if self.index is None:
            vectors = self.vectors
        else:
            numbers = self.index.search(question, CANDIDATES) or [0]
            places = [places[number] for number in numbers]
            vectors = self.encoder.encode([place.text for place in places])
        cosines = vectors @ self.encoder.encode([question])[0]
        found = cosines.topk(min(PASSAGES, len(cosines)))
        nearest = [places[number] for number in found.indices.tolist()]
        return nearest, float(found.values[0])


@dataclass(frozen=True)
class AnswerModel(ChatModel):
    """A chat model with its own limit on the length of answers."""

    max_tokens: int = MAX_TOKENS

    def answers(self, requests: Sequence[str]) -> list[str]:
        return super().answers(requests, self.max_tokens)

    def check(self, question: str, places: Sequence[Place]) -> None:
        """Check that a question, its passages and an answer fit into the context."""
        prompt = grounded_prompt(question, [place.text for place in places])
        tokens = len(self.encode(prompt))
        room = self.model.config.context_length - self.max_tokens
        if tokens > room:
            raise ValueError(
                f"That is too long: with the passages it has {tokens} tokens, and "
                f"there is room for {room}. Shorten it."
            )


def chat_about(
    folder: Path, threshold: float | None, max_tokens: int | None, precision: str | None
) -> None:
    """Answer each line of the input from the texts in a folder."""
    with user_errors(ValueError, exit_code=WRONG_USE):
        places, left_out = read_folder(folder)
    for sentence in left_out:
        chat.note(chat.CONTROL.sub("", sentence))
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with user_errors(ValueError, NotImplementedError, exit_code=NOT_POSSIBLE):
        with chat.working("loading smollm2"):
            decoder, tokenizer = chat.load(precision or "int4")
        library = Library(places, load_minilm(), show_progress=interactive)
    answerer = AnswerModel(decoder, tokenizer, SMOLLM2_CHAT, max_tokens or MAX_TOKENS)
    threshold = THRESHOLD if threshold is None else threshold
    files = len({place.file for place in places})
    told = f"Passages: {len(places)}, files: {files}."
    if library.index is not None:
        told += (
            f" Passages with words of the question: at most {CANDIDATES} are compared."
        )
    chat.note(f"{told} Each question is answered by itself. Ctrl-D ends.")

    def answer(question: str) -> None:
        _answer(answerer, library, question, threshold)

    chat.answer_lines(answer, interactive)


def _answer(
    answerer: AnswerModel, library: Library, question: str, threshold: float
) -> None:
    places, cosine = library.find(question)
    if cosine >= threshold:
        answerer.check(question, places)
    texts = [place.text for place in places]
    answer = answer_or_abstain(answerer, question, texts, cosine, threshold)
    print(chat.CONTROL.sub("", _with_source(answer, places)), flush=True)
    if cosine < threshold:
        nearest = (
            f"The nearest passage, with the cosine {cosine:.2f} (--threshold "
            f"{threshold:.2f}), is in {places[0]}: {places[0].text}"
        )
        chat.note(chat.CONTROL.sub("", nearest))


def _with_source(answer: GroundedAnswer, places: Sequence[Place]) -> str:
    if answer.abstained:
        return answer.text
    if not answer.citations:
        return f"{answer.text}\nNo passage makes this answer more probable."
    cited = [str(places[number - 1]) for number in answer.citations]
    return f"{answer.text}\nSource: {'; '.join(cited)}"
