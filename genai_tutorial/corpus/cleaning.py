"""Cleaning documents: one representation for texts that look the same, rules of
quality, and no passage of a held-out text.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

_LINE_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# Control characters, soft hyphens, direction and byte-order marks. The two joiners
# (U+200C and U+200D) are kept, because Persian, Hindi and emoji sequences need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]"
)
_SPACES = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def normalize(text: str) -> str:
    r"""Normalize prose: composed characters, plain spaces, one kind of line break.

    This removes differences that readers cannot see but that would give two copies of a
    sentence different tokens: `é` as one character or as `e` plus an accent, no-break
    spaces, soft hyphens, spaces at line ends, repeated empty lines. It also removes
    indentation, so it is not suitable for code. Normalizing twice has no further
    effect.

    Source: Unicode Standard Annex 15, Unicode Normalization Forms (NFC),
    https://unicode.org/reports/tr15/

    >>> normalize("Cafe\u0301\u00a0 au\tlait \r\n\r\n\r\n\r\nfin\ufeff")
    'Café au lait\n\nfin'
    """
    text = _INVISIBLE.sub("", _LINE_BREAKS.sub("\n", text))
    # after the removals, which can bring a letter and its accent together
    text = unicodedata.normalize("NFC", text)
    lines = [_SPACES.sub(" ", line).strip() for line in text.split("\n")]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
"""Hardly any English text of fifty words has fewer than two of these."""

_BULLETS = ("•", "-", "*", "‣", "–")
_ELLIPSES = ("…", "...")


@dataclass(frozen=True)
class QualityRules:
    """Limits for documents; the defaults are Gopher's.

    Attributes:
        shortest_mean_word: Minimum mean word length in characters.
        longest_mean_word: Maximum mean word length in characters.
        most_symbols: Maximum number of `#` and `…` per word.
        most_bullets: Maximum fraction of lines that start like list items.
        most_ellipses: Maximum fraction of lines that end with `…`.
        least_alphabetic: Minimum fraction of words that contain a letter.
        fewest_stop_words: Minimum number of the eight `STOP_WORDS` that must occur.
        most_repeated_lines: Maximum fraction of lines that repeat an earlier one.
        most_frequent_pair: Maximum fraction of all characters that belong to the most
            frequent pair of words.

    Source: Rae et al., Scaling Language Models: Methods, Analysis & Insights from
        Training Gopher, appendix A.1.1, https://arxiv.org/abs/2112.11446
    """

    fewest_words: int = 50
    most_words: int = 100_000
    shortest_mean_word: float | int = 3
    longest_mean_word: float | int = 10
    most_symbols: float | int = 0.1
    most_bullets: float | int = 0.9
    most_ellipses: float | int = 0.3
    least_alphabetic: float | int = 0.8
    fewest_stop_words: int = 2
    most_repeated_lines: float | int = 0.3
    most_frequent_pair: float | int = 0.2


@dataclass(frozen=True)
class Filtered:
    """The result of a filter.

    Attributes:
        kept: Indices of the documents that are kept.
        rejected: Number of rejected documents per reason.
    """

    kept: tuple[int, ...]
    rejected: dict[str, int]


def reason_to_reject(text: str, rules: QualityRules | None = None) -> str | None:
    """Return the first rule that a document violates, in a few words, or None.

    >>> reason_to_reject("Buy now!")
    'too few words'
    """
    return next(_broken(text, rules or QualityRules()), None)


def filter_documents(texts: Iterable[str]) -> Filtered:
    """Filter documents by the default `QualityRules`.

    >>> filter_documents(["Buy now!", "Buy soon!"])
    Filtered(kept=(), rejected={'too few words': 2})
    """
    reasons = [reason_to_reject(text) for text in texts]
    kept = tuple(place for place, reason in enumerate(reasons) if reason is None)
    return Filtered(kept, dict(Counter(filter(None, reasons))))


def _broken(text: str, rules: QualityRules) -> Iterator[str]:
    words = text.split()
    # fractions are undefined without words
    if len(words) < max(rules.fewest_words, 1):
        yield "too few words"
        return
    if len(words) > rules.most_words:
        yield "too many words"
    letters = sum(map(len, words))
    mean_word = letters / len(words)
    if not rules.shortest_mean_word <= mean_word <= rules.longest_mean_word:
        yield "words of a strange length"
    if sum(map(text.count, ("#", *_ELLIPSES))) > rules.most_symbols * len(words):
        yield "too many symbols"
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    bullets = sum(line.startswith(_BULLETS) for line in lines)
    if bullets > rules.most_bullets * len(lines):
        yield "nearly all lines are items of a list"
    broken_off = sum(line.endswith(_ELLIPSES) for line in lines)
    if broken_off > rules.most_ellipses * len(lines):
        yield "too many lines break off"
    alphabetic = sum(any(map(str.isalpha, word)) for word in words)
    if alphabetic < rules.least_alphabetic * len(words):
        yield "too few words with letters"
    if len(STOP_WORDS.intersection(map(str.lower, words))) < rules.fewest_stop_words:
        yield "no English sentences"
    if len(lines) - len(set(lines)) > rules.most_repeated_lines * len(lines):
        yield "repeated lines"
    for pair, count in Counter(pairwise(words)).most_common(1):
        covered = count * sum(map(len, pair))
        if count > 1 and covered > rules.most_frequent_pair * letters:
            yield "one pair of words again and again"


Gram = tuple[str, ...]

_WORD = re.compile(r"\w+")


def word_grams(text: str, length: int = 13) -> set[Gram]:
    """Return all runs of `length` words, ignoring case and punctuation.

    Raises:
        ValueError: If `length` is below 1.

    >>> sorted(word_grams("To be, or not", length=3))
    [('be', 'or', 'not'), ('to', 'be', 'or')]
    """
    if length < 1:
        raise ValueError(f"length must be at least 1 word, got {length}.")
    words = [word.lower() for word in _WORD.findall(text)]
    starts = range(len(words) - length + 1)
    return {tuple(words[start : start + length]) for start in starts}


def seen_share(held_out: str, training: Iterable[str], length: int = 13) -> float:
    """Return the fraction of a held-out text's word n-grams that occur in the training
    texts. A leaked test measures memorization.

    >>> seen_share("the cat sat on the mat", ["Here the cat sat on a mat."], length=3)
    0.5
    """
    wanted = word_grams(held_out, length)
    seen = set().union(*(word_grams(text, length) for text in training))
    return len(wanted & seen) / max(len(wanted), 1)


@dataclass(frozen=True)
class Decontaminator:
    """Removes passages from training documents that also occur in a held-out text. The
    defaults are GPT-3's.

    Attributes:
        grams: Word n-grams to remove, from `held_out_grams`.
        length: Number of words per n-gram.
        margin: Number of characters to remove on either side.
        shortest: Minimum length in characters of a piece to keep.
        most_pieces: A document that is cut into more pieces is dropped.

    Source: Brown et al., Language Models are Few-Shot Learners, appendix C,
    https://arxiv.org/abs/2005.14165

    >>> guard = Decontaminator(
    ...     held_out_grams(["it was a bright cold day"], 4),
    ...     length=4,
    ...     margin=3,
    ...     shortest=5,
    ... )
    >>> guard.clean("I looked out. It was a bright morning. Then I slept.")
    ['I looked ou', 'rning. Then I slept.']
    """

    grams: frozenset[Gram]
    length: int = 13
    margin: int = 200
    shortest: int = 200
    most_pieces: int = 10

    def __post_init__(self):
        if wrong := [gram for gram in self.grams if len(gram) != self.length]:
            raise ValueError(
                f"All grams must have {self.length} words (length), got "
                f"{' '.join(wrong[0])!r}."
            )

    def clean(self, text: str) -> list[str]:
        """Return the remaining pieces of a document: the whole document, nothing, or
        the pieces between the cuts.
        """
        places = [match.span() for match in _WORD.finditer(text)]
        words = [text[start:end].lower() for start, end in places]
        pieces, begin, found = [], 0, False
        for first in range(len(words) - self.length + 1):
            if tuple(words[first : first + self.length]) in self.grams:
                found = True
                pieces.append(text[begin : max(begin, places[first][0] - self.margin)])
                begin = min(len(text), places[first + self.length - 1][1] + self.margin)
        if not found:
            return [text]
        # nothing is left between overlapping cuts
        pieces = [piece for piece in [*pieces, text[begin:]] if piece]
        if len(pieces) > self.most_pieces:
            return []
        return [piece for piece in pieces if len(piece) >= self.shortest]


def held_out_grams(texts: Iterable[str], length: int = 13) -> frozenset[Gram]:
    """Collect the word n-grams of held-out texts. A text with fewer words than `length`
    has none and is not protected.
    """
    return frozenset().union(*(word_grams(text, length) for text in texts))
