"""Word lists for tests of association: two groups of targets and two of attributes."""

from dataclasses import dataclass

HE_WORDS = ("he", "him", "his", "man", "men", "boy", "father", "son", "brother", "king",
            "husband")  # fmt: skip
SHE_WORDS = ("she", "her", "hers", "woman", "women", "girl", "mother", "daughter",
             "sister", "queen", "wife")  # fmt: skip

GENDER_PAIRS = (
    ("he", "she"), ("his", "her"), ("man", "woman"), ("men", "women"),
    ("boy", "girl"), ("father", "mother"), ("son", "daughter"), ("brother", "sister"),
    ("king", "queen"), ("husband", "wife"), ("male", "female"),
)  # fmt: skip
"""Pairs of words whose meaning differs in gender, for hard debiasing."""


@dataclass(frozen=True)
class TargetLists:
    """Two groups of target words."""

    first: tuple[str, ...]
    second: tuple[str, ...]


TARGETS = {
    "career and family": TargetLists(
        ("work", "office", "business", "company", "career", "professional", "army",
         "government", "president", "scientist"),
        ("home", "family", "children", "marriage", "parents", "married", "birth",
         "wedding", "child", "love"),
    ),
    "science and arts": TargetLists(
        ("science", "physics", "chemistry", "mathematics", "theory", "research",
         "experiment", "logic"),
        ("art", "poetry", "music", "dance", "novel", "drama", "literature", "poem"),
    ),
    "pleasant and unpleasant": TargetLists(
        ("love", "peace", "happy", "friend", "gift", "honor", "pleasure", "heaven"),
        ("war", "death", "hatred", "poison", "prison", "murder", "pain", "evil"),
    ),
}  # fmt: skip
"""Targets for he-words against she-words: two stereotypes and a control.

After Caliskan et al., https://arxiv.org/abs/1608.07187, tables 1 and 2, without
words that are rare in the book's text.
"""
