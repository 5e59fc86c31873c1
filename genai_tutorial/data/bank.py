"""Forty-eight sentences that end with the word "bank", in one of two senses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Sense = Literal["river", "money"]


@dataclass(frozen=True)
class Sentence:
    """A sentence about a bank.

    Attributes:
        text: Sentence without a full stop; its last word is "bank".
        sense: The kind of bank that is meant.
    """

    text: str
    sense: Sense


def load_bank_sentences() -> tuple[Sentence, ...]:
    """Return 24 sentences about river banks, then 24 about banks for money, written for
    this book.

    All of them end with "bank", because a causal model sees only the words before it.
    The two preceding words give nothing away: "on the bank" ends equally many sentences
    of each sense.

    >>> from genai_tutorial.data import load_bank_sentences
    >>> sentences = load_bank_sentences()
    >>> len(sentences), sentences[0].sense, sentences[-1].sense
    (48, 'river', 'money')
    >>> sentences[1].text
    'Willow trees leaned over the stream from the bank'
    """
    lines = Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines()
    senses = ["river"] * 24 + ["money"] * 24
    return tuple(map(Sentence, lines, senses))
