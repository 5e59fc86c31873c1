"""The command `chat --documents`, with a small random chat model and vectors that count
words.
"""

import json
import os
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from genai_tutorial.cli import chat as chat_module
from genai_tutorial.cli import documents
from genai_tutorial.cli.documents import (
    LARGEST_FILE,
    LONGEST_PASSAGE,
    THRESHOLD,
    AnswerModel,
    Library,
    read_folder,
    split_text,
)
from genai_tutorial.pretrained import load_minilm
from genai_tutorial.retrieval import (
    SentenceEncoder,
    SentenceEncoderConfig,
    SentenceVectors,
    words,
)
from genai_tutorial.tokenization import SMOLLM2_CHAT, WordPieceTokenizer
from tests.cli.test_chat import tiny

QUESTIONS = Path(__file__).with_name("natural_questions.json")
TEA = "Green tea needs 70 degrees.\n\nThe teapot is from Lisbon.\n"
GARDEN = "The hose is in the shed."


class WordCounts(SentenceVectors):
    """Vectors that count the words of a text, each at a place of its own."""

    known: ClassVar[dict[str, int]] = {}

    def encode(self, texts, batch_size=32, show_progress=False):
        vectors = torch.zeros(len(texts), self.width)
        for row, text in zip(vectors, texts, strict=True):
            for word in words(text):
                row[self.known.setdefault(word, len(self.known))] += 1
        return torch.nn.functional.normalize(vectors, dim=1)


def word_counts() -> WordCounts:
    config = SentenceEncoderConfig(
        vocab_size=4, width=64, layers=1, heads=1, feed_forward_width=4
    )
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    return WordCounts(SentenceEncoder(config), WordPieceTokenizer(special))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tea.md").write_text(TEA, "utf8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "garden.txt").write_text(GARDEN, "utf8")
    return tmp_path


@pytest.fixture
def ask(monkeypatch, command):
    """Run the command with lines piped into it."""
    WordCounts.known = {}
    monkeypatch.setattr(chat_module, "load", lambda precision: tiny(2048))
    monkeypatch.setattr(documents, "load_minilm", word_counts)
    return lambda lines, *arguments: command("chat", *arguments, typed=lines)


def test_passages_know_their_file_lines_and_characters(folder):
    places, left_out = read_folder(folder)
    assert left_out == []
    assert [place.file for place in places] == ["tea.md", "sub/garden.txt"]
    assert str(places[0]) == "tea.md, lines 1 to 3 (characters 0 to 55)"
    assert str(places[1]) == "sub/garden.txt, line 1 (characters 0 to 24)"


def test_passages_are_short_and_where_they_say():
    text = "\n".join(f"Sentence number {n} is here." for n in range(60))
    text += "\n" + "word " * 150  # one sentence that is too long
    places = split_text(text, "long.txt")
    assert len(places) > 5
    for place in places:
        original = text[place.start : place.end]
        assert " ".join(original.split()) == place.text
        assert len(place.text.split()) <= LONGEST_PASSAGE
        assert text.splitlines()[place.first_line - 1].startswith(
            original.splitlines()[0][:5]
        )
    covered = set().union(*(range(place.start, place.end) for place in places))
    assert all(char.isspace() or n in covered for n, char in enumerate(text))


def test_bad_files_are_named_and_the_others_are_read(folder):
    (folder / "latin.txt").write_bytes("café".encode("latin-1"))
    (folder / "zero.txt").write_bytes(b"a\0b")
    (folder / "empty.md").write_text(" \n", "utf8")
    (folder / "large.txt").write_bytes(b"a " * LARGEST_FILE)
    (folder / "gone.txt").symlink_to(folder / "nowhere.txt")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "wifi.pdf").write_bytes(b"%PDF")
    (folder / ".hidden.txt").write_text("secret", "utf8")
    places, left_out = read_folder(folder)
    assert {place.file for place in places} == {"tea.md", "sub/garden.txt"}
    assert left_out == [
        "empty.md is left out: it is empty.",
        "gone.txt is left out: it is not an ordinary file.",
        "large.txt is left out: it has more than 10 MB.",
        "latin.txt is left out: it is not UTF-8 text (byte 3 is not valid).",
        "wifi.pdf is left out: only .txt and .md files are read.",
        "zero.txt is left out: it has null characters, so it is not text.",
    ]


def test_a_folder_that_is_too_large_is_read_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LARGEST_FILE", 1_000_000)
    monkeypatch.setattr(documents, "LARGEST_FOLDER", 2_000_000)
    for number in range(3):
        (tmp_path / f"{number}.txt").write_bytes(b"\n".join([b"a" * 999] * 1000))
    places, left_out = read_folder(tmp_path)
    assert len({place.file for place in places}) == 2
    assert len(left_out) == 1
    assert "nearly 2 MB together" in left_out[0]


def test_library_of_many_passages_encodes_those_with_words_of_the_question(
    folder, monkeypatch
):
    class Counted(WordCounts):
        """Vectors that remember how many texts were encoded."""

        def encode(self, texts, batch_size=32, show_progress=False):
            encoded.append(len(texts))
            return super().encode(texts)

    WordCounts.known, encoded = {}, []
    monkeypatch.setattr(documents, "MOST_ENCODED", 1)
    places, _ = read_folder(folder)
    parts = word_counts()
    library = Library(places, Counted(parts.encoder, parts.tokenizer), False)
    found, cosine = library.find("Where is the hose in the garden?")
    assert found[0] == places[1]
    assert cosine > 0.5
    assert library.find("bicycle")[1] == pytest.approx(0, abs=1e-5)
    assert encoded == [2, 1, 1, 1]


def test_library_finds_the_passage_and_its_cosine(folder):
    WordCounts.known = {}
    places, _ = read_folder(folder)
    library = Library(places, word_counts(), show_progress=False)
    found, cosine = library.find("The hose is in the shed.")
    assert found == places[::-1]
    assert cosine == pytest.approx(1, abs=1e-5)
    assert library.find("bicycle")[1] == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
def test_threshold_answers_natural_questions_and_declines_others():
    """Of 32 questions that four short texts answer in other words, and 16 others."""
    encoder, answered, others = load_minilm(), [], []
    for example in json.loads(QUESTIONS.read_text("utf8")):
        library = Library(split_text(example["text"], "a.txt"), encoder, False)
        answered += [library.find(question)[1] for question in example["answered"]]
        others += [library.find(question)[1] for question in example["not answered"]]
    assert sum(cosine >= THRESHOLD for cosine in answered) == 27
    assert max(others) < THRESHOLD


def test_near_questions_are_answered_with_a_source_and_others_are_not(ask, folder):
    code, out, err = ask(
        "The hose is in the shed?\nWho wrote Hamlet?\n",
        *("--documents", str(folder), "--max-tokens", "4"),
    )
    assert code == 0
    first, second, third = out.splitlines()[-3:]
    assert first
    assert second.startswith("Source: ") or second.startswith("No passage makes")
    assert third == "I do not know."
    assert f"(--threshold {THRESHOLD:.2f}), is in tea.md, line" in err
    assert "The teapot is from Lisbon." in err
    assert "Passages: 2, files: 2." in err


def test_the_source_is_the_passage_that_the_answer_needs(monkeypatch, ask, folder):
    def answered(chat, question, passages, confidence, threshold):
        place = next(n for n, text in enumerate(passages) if "hose" in text)
        return documents.GroundedAnswer("In the shed.", (place + 1,))

    monkeypatch.setattr(documents, "answer_or_abstain", answered)
    _, out, _ = ask("The hose is in the shed?\n", "--documents", str(folder))
    assert out == (
        "In the shed.\nSource: sub/garden.txt, line 1 (characters 0 to 24)\n"
    )


def test_answers_have_a_limit_of_their_own():
    model, tokenizer = tiny(512)
    short = AnswerModel(model, tokenizer, SMOLLM2_CHAT, max_tokens=2)
    long = AnswerModel(model, tokenizer, SMOLLM2_CHAT, max_tokens=6)
    assert len(short.answers(["You?"])[0]) < len(long.answers(["You?"])[0])


def test_long_questions_end_a_pipe_with_a_sentence(monkeypatch, ask, folder):
    monkeypatch.setattr(chat_module, "load", lambda precision: tiny(128))
    code, _, err = ask(
        "The hose is in the shed?\n", "--documents", str(folder), "--max-tokens", "4"
    )
    assert code == 1
    assert "there is room for 124. Shorten it." in err


def test_folders_without_text_are_one_sentence(ask, tmp_path):
    code, _, err = ask("Why?\n", "--documents", str(tmp_path / "none"))
    assert code == 2
    assert "is not a folder: --documents takes one of .txt or .md files" in err
    (tmp_path / "empty.txt").touch()
    code, _, err = ask("Why?\n", "--documents", str(tmp_path))
    assert code == 2
    assert "no .txt or .md file with text in it. empty.txt is left out" in err


def test_threshold_option_answers_more(ask, folder):
    arguments = ("--documents", str(folder), "--max-tokens", "4", "--threshold")
    declined = ask("The hose?\n", *arguments, "0.9")[1]
    assert declined == "I do not know.\n"
    assert ask("The hose?\n", *arguments, "0.1")[1] != declined


def test_nothing_is_written(ask, folder):
    before = sorted(folder.rglob("*"))
    ask("The hose is in the shed?\n", "--documents", str(folder), "--max-tokens", "2")
    assert sorted(folder.rglob("*")) == before


def test_unreadable_folder_is_left_out_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "a.md").write_text("Lima is in Peru.", "utf8")
    (tmp_path / "secret").mkdir()
    scan = os.scandir

    def closed(path):
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    places, left_out = read_folder(tmp_path)
    assert [place.file for place in places] == ["a.md"]
    assert left_out == ["The folder secret is left out: Permission denied."]
