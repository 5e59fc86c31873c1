"""The text of an answer: normalized for exact match, and searched for phrases."""

import re
import unicodedata

_LONGEST_PHRASE = 6  # words in the longest answer or country name
_COURTESIES = re.compile(
    r"\b(please|sorry|thank you|thanks|certainly|gladly|happy to|of course|you are "
    r"welcome)\b"
)


def normalize_answer(text: str) -> str:
    """Normalize an answer for exact match: lower case, without accents, punctuation,
    articles and superfluous spaces.

    The dot of an internet domain becomes a word, because `.is` and `.to` would
    otherwise match English words.

    >>> (
    ...     normalize_answer(" The United States. "),
    ...     normalize_answer("Brasília"),
    ...     normalize_answer("It is .is."),
    ... )
    ('united states', 'brasilia', 'it is dotis')
    """
    text = (
        unicodedata.normalize("NFKD", text)
        .encode("ascii", "ignore")
        .decode("ascii")
        .lower()
    )
    text = re.sub(r"(?<![a-z0-9])\.(?=[a-z]{2}\b)", " dot", text).replace("'", "")
    return " ".join(
        re.sub(r"\b(the|a|an)\b", " ", re.sub(r"[^a-z0-9]+", " ", text)).split()
    )


def exact_match(answer: str, right: str) -> bool:
    """Return whether an answer equals the canonical one after `normalize_answer`.

    >>> exact_match("the Euro.", "euro"), exact_match("euro or pound", "euro")
    (True, False)
    """
    return normalize_answer(answer) == normalize_answer(right)


def words(answer: str) -> int:
    """Count the words of an answer."""
    return len(answer.split())


def courtesies(answer: str) -> int:
    """Count the courtesies in an answer."""
    return len(_COURTESIES.findall(answer.lower()))


def named_phrases(text: str, phrases: set[str]) -> set[str]:
    """Find normalized phrases in a text as whole words, from left to right, preferring
    the longest match at each position.
    """
    tokens = normalize_answer(text).split()
    named: set[str] = set()
    start = 0
    while start < len(tokens):
        ends = range(min(start + _LONGEST_PHRASE, len(tokens)), start, -1)
        end = next(
            (end for end in ends if " ".join(tokens[start:end]) in phrases), None
        )
        if end is not None:
            named.add(" ".join(tokens[start:end]))
        start = end or start + 1
    return named
