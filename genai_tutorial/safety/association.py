"""Associations of words with two groups: in their vectors (the Word Embedding
Association Test, WEAT), in texts with the groups exchanged, and in predictions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.interpretability import WordVectors
from genai_tutorial.tokenization import PADDING, BPETokenizer
from genai_tutorial.transformer import DecoderLM

_TOLERANCE = 1e-9  # less is the same sum in another order
_MOST_SPLITS = 100_000


@dataclass(frozen=True)
class AssociationTest:
    """The result of a WEAT.

    Attributes:
        effect: The difference of the two target groups' mean associations, in standard
            deviations of all targets' associations; from -2 to 2 for groups of equal
            size, however small the associations are.
        difference: The same difference in units of the cosine.
        p_value: The probability of a difference at least as large if the targets are
            split at random (one-sided).
        splits: The number of splits that were compared.
        exact: True if these are all possible splits.
    """

    effect: float
    difference: float
    p_value: float
    splits: int
    exact: bool


def known_vectors(
    vectors: WordVectors, words: Sequence[str]
) -> Float[Tensor, "word dim"]:
    """Return the vectors of the words that have one, in their order.

    Raises:
        ValueError: If none of them has one.
    """
    known = [vectors[word] for word in words if word in vectors]
    if not known:
        raise ValueError(
            f"None of the words {', '.join(words)} has a vector: give other words, or "
            "vectors of more text."
        )
    return torch.stack(known)


def associations(
    targets: Float[Tensor, "target dim"],
    first: Float[Tensor, "first dim"],
    second: Float[Tensor, "second dim"],
) -> Float[Tensor, "target"]:
    """Return each target's association: its mean cosine with the first attributes minus
    its mean cosine with the second.

    Source: Caliskan et al., Semantics derived automatically from language corpora
        contain human-like biases, the function s(w, A, B),
        https://arxiv.org/abs/1608.07187

    >>> axes = torch.eye(2)
    >>> associations(torch.tensor([[3.0, 0.0], [1.0, 1.0]]), axes[:1], axes[1:])
    tensor([1., 0.])
    """
    targets, first, second = (
        functional.normalize(group.double(), dim=1)
        for group in (targets, first, second)
    )
    difference = first.mean(dim=0) - second.mean(dim=0)
    return (targets @ difference).float()


def association_test(
    first_targets: Float[Tensor, "first_target dim"],
    second_targets: Float[Tensor, "second_target dim"],
    first_attributes: Float[Tensor, "first_attribute dim"],
    second_attributes: Float[Tensor, "second_attribute dim"],
) -> AssociationTest:
    """Test whether the first targets are closer to the first attributes, and the second
    to the second, than after a random split of the targets. With more than 100,000
    possible splits, as many are drawn at random.

    Args:
        first_targets: Vectors of words such as *career* and *office*.
        first_attributes: Vectors of words such as *he* and *man*.

    Raises:
        ValueError: If there are fewer than two targets in a group, or all targets have
            the same association.

    Source: Caliskan et al., Semantics derived automatically from language corpora
        contain human-like biases, effect size and permutation test,
        https://arxiv.org/abs/1608.07187
    """
    size = len(first_targets)
    if min(size, len(second_targets)) < 2:
        raise ValueError(
            "Each group of targets needs at least two words, got "
            f"{size} and {len(second_targets)}."
        )
    scores = associations(
        torch.cat((first_targets, second_targets)), first_attributes, second_attributes
    ).double()
    spread = scores.std()  # of the sample, as scipy and WEFE compute it
    if spread < _TOLERANCE:
        raise ValueError("All targets have the same association, so no split differs.")
    observed = scores[:size].mean() - scores[size:].mean()
    exact = comb(len(scores), size) <= _MOST_SPLITS
    if exact:
        rows = torch.tensor(list(combinations(range(len(scores)), size)))
    else:
        generator = torch.Generator().manual_seed(0)
        drawn = torch.rand(_MOST_SPLITS, len(scores), generator=generator)
        rows = drawn.argsort(dim=1)[:, :size]
    sums = scores[rows].sum(dim=1)
    differences = sums / size - (scores.sum() - sums) / (len(scores) - size)
    at_least = int((differences >= observed - _TOLERANCE).sum())
    # A random sample counts the observed split as one more, so that p is never 0.
    p_value = at_least / len(rows) if exact else (at_least + 1) / (len(rows) + 1)
    effect = float(observed / spread)
    return AssociationTest(effect, float(observed), p_value, len(rows), exact)


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
_SWAPPED |= {"him": "her", "hers": "his"}

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
        other = _SWAPPED.get(word)
        if word == "her":
            other = "his" if _precedes_noun(text, match.end()) else "him"
        elif word == "his":
            other = "her" if _precedes_noun(text, match.end()) else "hers"
        return _in_case_of(match[0], other) if other else match[0]

    return _WORD.sub(swap, text)


def _precedes_noun(text: str, end: int) -> bool:
    following = re.match(r"\s+([^\W\d_]+)", text[end:])
    return following is not None and following[1].lower() not in _NO_NOUN_AFTER


def _in_case_of(model: str, word: str) -> str:
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[0].isupper() else word


PRONOUN_TEMPLATES = (
    "The {noun} said that",
    "The {noun} was tired because",
    "I talked to the {noun} yesterday, and",
)
"""Beginnings of sentences whose next word may be a pronoun for the noun."""

_BATCH_SIZE = 32


def pronoun_log_odds(
    model: DecoderLM, tokenizer: BPETokenizer, nouns: Sequence[str]
) -> Float[Tensor, "noun template"]:
    """Return ln p("he") - ln p("she") as the next word, after each of the
    `PRONOUN_TEMPLATES` with each noun, such as an occupation.

    Raises:
        ValueError: If there is no noun, or a pronoun is several tokens.
    """
    if not nouns:
        raise ValueError("There must be at least one noun, got none.")
    prompts = [
        tokenizer.encode(template.replace("{noun}", noun))
        for noun in nouns
        for template in PRONOUN_TEMPLATES
    ]
    tokens = [tokenizer.encode(f" {word}") for word in ("he", "she")]
    if any(len(ids) != 1 for ids in tokens):
        raise ValueError(
            "Each pronoun must be one token; he and she are "
            f"{len(tokens[0])} and {len(tokens[1])}."
        )
    (first,), (second,) = tokens
    starts = range(0, len(prompts), _BATCH_SIZE)
    logits = torch.cat(
        [_next_token_logits(model, prompts[at : at + _BATCH_SIZE]) for at in starts]
    )
    odds = logits[:, first] - logits[:, second]
    return odds.view(len(nouns), len(PRONOUN_TEMPLATES))


@torch.no_grad()
def _next_token_logits(
    model: DecoderLM, prompts: Sequence[Sequence[int]]
) -> Float[Tensor, "prompt vocab"]:
    ids = pad_sequence([torch.tensor(prompt) for prompt in prompts], True, PADDING)
    last = torch.tensor([len(prompt) - 1 for prompt in prompts])
    states = model.read(ids.to(model.token_embedding.weight.device))
    return model.logits(states[torch.arange(len(prompts)), last][:, None])[:, 0]
