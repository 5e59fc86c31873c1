"""Word vectors from counts: count which words occur near each other, compare the counts
with chance, and compress the table to a few numbers per word.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def split_into_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without digits and punctuation.

    >>> split_into_words("The bank's vault, in 1929, was EMPTY.")
    ['the', "bank's", 'vault', 'in', 'was', 'empty']
    """
    return _WORD.findall(text.lower().replace("’", "'"))


def cooccurrence_counts(
    sentences: Iterable[Sequence[str]], vocabulary: Sequence[str], window: int
) -> "csr_array":
    """Count how often each pair of words of the vocabulary occurs within `window`
    words.

    Args:
        sentences: Texts, split into words; pairs do not extend across texts.
        vocabulary: The words to count, without duplicates. Other words keep their
            positions in the text but are not counted.
        window: The number of context words on either side.

    Returns:
        A symmetric sparse table of counts, with a row and a column for each word of the
        vocabulary.

    >>> cooccurrence_counts([["a", "b", "a"]], ["a", "b"], window=1).toarray().tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    from scipy import sparse  # here, because it takes a while to load

    if window < 1:
        raise ValueError(
            f"window must be at least 1 word, or no word has a context; got {window}."
        )
    index = {word: i for i, word in enumerate(vocabulary)}
    if len(index) != len(vocabulary):
        raise ValueError(
            "vocabulary must have every word only once, got "
            f"{len(vocabulary) - len(index)} duplicates."
        )
    # between two texts, so that no pair extends from one into the next
    gap = [-1] * window
    rows = ([index.get(word, -1) for word in words] + gap for words in sentences)
    places = np.array(list(chain.from_iterable(rows)), dtype=int)
    left, right = [], []
    for distance in range(1, window + 1):
        both = (places[:-distance] >= 0) & (places[distance:] >= 0)
        left.append(places[:-distance][both])
        right.append(places[distance:][both])
    pairs = np.concatenate(left), np.concatenate(right)
    shape = (len(index), len(index))
    one_way = sparse.coo_array((np.ones(len(pairs[0])), pairs), shape=shape)
    one_way = one_way.tocsr()  # adds up duplicate entries
    return (one_way + one_way.T).tocsr()


def positive_pmi(counts: "csr_array", smoothing: float | int = 0.75) -> "csr_array":
    """Return the positive pointwise mutual information of each pair in nats: max(0, log
    p(w, c) / (p(w) p(c))).

    Args:
        counts: A table of non-negative numbers: how often a word (row) and a context
            (column) occurred together.
        smoothing: The power to which the contexts' counts are raised. Values below 1
            make rare contexts less surprising; 1 gives plain PMI.

    Source: Church and Hanks (1990), Word association norms, mutual information, and
        lexicography, equation for I(x, y); Levy, Goldberg and Dagan (2015), Improving
        distributional similarity, section 3.2, for the smoothing.
    """
    if not 0 < smoothing <= 1:
        raise ValueError(
            "smoothing must be above 0 and at most 1 (the plain definition), got "
            f"{smoothing}."
        )
    pairs = counts.tocoo()
    words, contexts = counts.sum(axis=1), counts.sum(axis=0) ** smoothing
    row, column = pairs.coords
    ratio = pairs.data / words[row] / (contexts[column] / contexts.sum())
    return type(pairs)(
        (np.log(ratio).clip(min=0), pairs.coords), shape=pairs.shape
    ).tocsr()


@dataclass(frozen=True)
class WordVectors:
    """Unit-length vectors for the frequent words of a text.

    Attributes:
        words: The words, most frequent first.
        vectors: Their vectors, in the same order.

    Source: Levy and Goldberg (2014), Neural word embedding as implicit matrix
        factorization, section 5.1: the SVD of positive PMI, weighted by the square root
        of the singular values.
    """

    words: tuple[str, ...]
    vectors: Float[Tensor, "word dim"]

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        dimensions: int = 100,
        window: int = 5,
        min_count: int = 20,
    ) -> "WordVectors":
        """Count, compare with chance, compress.

        Args:
            texts: The training texts; pairs of words are counted within a text, never
                across two.
            dimensions: The number of features per word.
            window: The number of context words on either side.
            min_count: Rarer words get no vector, because their contexts are too few.

        Raises:
            ValueError: If there are fewer frequent words than dimensions, or a setting
                is out of range.
        """
        if isinstance(texts, str):
            raise ValueError(
                "texts must be several texts, got one string; give [text], or a list "
                "of its parts."
            )
        from scipy.sparse.linalg import svds

        sentences = [split_into_words(text) for text in texts]
        counted = Counter(word for words in sentences for word in words)
        # Ties in alphabetical order, so that the same text always gives the same
        # vectors.
        frequent = sorted(
            (word for word in counted if counted[word] >= min_count),
            key=lambda w: (-counted[w], w),
        )
        if not 1 <= dimensions < len(frequent):
            raise ValueError(
                "dimensions must be from 1 to one less than the number of words, got "
                f"{dimensions} for {len(frequent)} words that occur at least "
                f"{min_count} times; give more text or a smaller min_count."
            )
        associations = positive_pmi(cooccurrence_counts(sentences, frequent, window))
        left, strength, _ = svds(associations, k=dimensions, v0=np.ones(len(frequent)))
        vectors = torch.from_numpy(left * np.sqrt(strength)).float()
        return cls(tuple(frequent), torch.nn.functional.normalize(vectors, dim=1))

    def __contains__(self, word: object) -> bool:
        return word in self._index

    def __getitem__(self, word: str) -> Float[Tensor, "dim"]:
        if word not in self._index:
            raise KeyError(
                f"There is no vector for {word!r}: it is not among the "
                f"{len(self.words)} frequent words."
            )
        return self.vectors[self._index[word]]

    def similarity(self, a: str, b: str) -> float:
        """Return the cosine similarity of two words: 1 for the same direction, about 0
        for unrelated words.
        """
        return float(self[a] @ self[b])

    def nearest(self, word: str, count: int = 5) -> list[tuple[str, float]]:
        """Return the words with the most similar vectors, best first, with their
        similarities.
        """
        return self._best(self[word], count, without=(word,))

    def analogy(self, a: str, b: str, c: str) -> list[tuple[str, float]]:
        """Answer "a is to b as c is to ...?": return the word nearest to b - a + c,
        excluding the three words of the question, and its similarity.

        Source: Mikolov, Yih and Zweig (2013), Linguistic regularities in continuous
            space word representations, section 4.
        """
        target = torch.nn.functional.normalize(self[b] - self[a] + self[c], dim=0)
        return self._best(target, 1, without=(a, b, c))

    @cached_property
    def _index(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    def _best(
        self, target: Float[Tensor, "dim"], count: int, without: Sequence[str]
    ) -> list[tuple[str, float]]:
        similarities = self.vectors @ target
        similarities[[self._index[word] for word in without]] = -torch.inf
        most = min(count, len(self.words) - len(set(without)))
        values, places = similarities.topk(most)
        words = [self.words[place] for place in places.tolist()]
        return list(zip(words, values.tolist(), strict=True))


ANALOGY_FAMILIES: dict[str, list[tuple[str, str]]] = {
    name: [tuple(pair.split()) for pair in pairs.split(", ")]
    for name, pairs in json.loads(
        Path(__file__).with_name("analogies.json").read_text("utf8")
    ).items()
}
"""Pairs of frequent English words, by the relation between the two words."""


@dataclass(frozen=True)
class AnalogyScores:
    """The results for the pairs of one family, in the order of the pairs.

    Attributes:
        by_analogy: The share of a pair's analogies that are answered correctly.
        by_nearness: 1.0 if the second word is the nearest neighbour of the first one,
            else 0.0: the baseline that uses no analogy.
    """

    by_analogy: list[float]
    by_nearness: list[float]


def score_analogies(
    vectors: WordVectors, pairs: Sequence[tuple[str, str]]
) -> AnalogyScores:
    """Answer each pair's analogy with every other pair of the family.

    Pairs with a word that has no vector are left out, and so are questions whose two
    pairs share a word.

    Raises:
        ValueError: If a pair has no other pair to form a question with.
    """
    known = [(a, b) for a, b in pairs if a in vectors and b in vectors]
    by_analogy, by_nearness = [], []
    for c, d in known:
        others = [(a, b) for a, b in known if not {a, b} & {c, d}]
        if not others:
            raise ValueError(
                f"The pair {c}, {d} needs another pair of the family whose words are "
                "different and have vectors."
            )
        right = [vectors.analogy(a, b, c)[0][0] == d for a, b in others]
        by_analogy.append(sum(right) / len(right))
        by_nearness.append(float(vectors.nearest(c, 1)[0][0] == d))
    return AnalogyScores(by_analogy, by_nearness)
