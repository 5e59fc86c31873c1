"""Counterfactual sentences: the same text with he-words and she-words exchanged."""

import re
from collections.abc import Iterable

SWAPS = (
    ("he", "she"), ("himself", "herself"), ("man", "woman"), ("men", "women"),
    ("boy", "girl"), ("boys", "girls"), ("father", "mother"), ("fathers", "mothers"),
    ("son", "daughter"), ("sons", "daughters"), ("brother", "sister"),
    ("brothers", "sisters"), ("husband", "wife"), ("husbands", "wives"),
    ("king", "queen"), ("kings", "queens"), ("male", "female"), ("males", "females"),
)  # fmt: skip
"""Pairs of words that are exchanged wherever they occur. *His*, *her*, *him* and *hers*
do not form pairs, so rules decide about them.
"""

_SWAPPED = {a: b for pair in SWAPS for a, b in (pair, pair[::-1])}

# After these words, or at the end of a clause, *her* and *his* have no noun to belong
# to.
_NO_NOUN_AFTER = frozenset(re.findall(r"\w+", """
    a about after again against all along also always an and any are around as at
    away back be because been before being but by can could did do does down during
    each either even ever every for from had has have he her hers him his how i if
    in into is it its just may me might more must my never no nor not now of off on
    once only or our ours out over she should since so some soon still than that the
    their them then there these they this those though through to together too under
    until up upon us was we well were what when where whether which while who why
    will with without would yet you your yours
"""))  # fmt: skip

_WORD = re.compile(r"[^\W\d_]+")


def counterfactual_sentence(text: str) -> str:
    """Return the text with he-words and she-words exchanged, in the case of each word.

    *Her* stands for two words: it becomes *his* before a word that can belong to a noun
    phrase and *him* elsewhere. *His* becomes *her* or *hers* by the same rule. Names
    and titles are not exchanged.

    Source: Lu et al., Gender Bias in Neural Natural Language Processing (counterfactual
        data augmentation), https://arxiv.org/abs/1807.11714

    >>> counterfactual_sentence("He gave her the crown of her father.")
    'She gave him the crown of his mother.'
    >>> counterfactual_sentence("The men thanked her, because the idea was his.")
    'The women thanked him, because the idea was hers.'
    """

    def swap(match: re.Match[str]) -> str:
        word = match[0].lower()
        if word in ("her", "his"):
            has_noun = _precedes_noun(text, match.end())
            if word == "her":
                other = "his" if has_noun else "him"
            else:
                other = "her" if has_noun else "hers"
        elif word in ("him", "hers"):
            other = {"him": "her", "hers": "his"}[word]
        elif word in _SWAPPED:
            other = _SWAPPED[word]
        else:
            return match[0]
        return _in_case_of(match[0], other)

    return _WORD.sub(swap, text)


def counterfactual_sentences(texts: Iterable[str]) -> list[str]:
    """Return the counterfactual of each text that it changes; the others have none."""
    pairs = ((text, counterfactual_sentence(text)) for text in texts)
    return [swapped for text, swapped in pairs if swapped != text]


def _precedes_noun(text: str, end: int) -> bool:
    following = re.match(r"\s+([^\W\d_]+)", text[end:])
    return following is not None and following[1].lower() not in _NO_NOUN_AFTER


def _in_case_of(model: str, word: str) -> str:
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
