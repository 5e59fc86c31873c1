"""Search by words: BM25 over an inverted index, with its token rules."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

SplitWords = Callable[[str], list[str]]
"""A token rule: a function that returns the words of a text."""


def words(text: str) -> list[str]:
    """Return the runs of letters and digits in lower case: the usual token rule.

    >>> words("Websites from Kenya end in .ke.")
    ['websites', 'from', 'kenya', 'end', 'in', 'ke']
    """
    return re.findall(r"\w+", text.lower())


def words_and_codes(text: str) -> list[str]:
    """Return the words in lower case, and codes that begin with a dot with their dot.

    >>> words_and_codes("Websites from Kenya end in .ke.")
    ['websites', 'from', 'kenya', 'end', 'in', '.ke']
    """
    return re.findall(r"(?<![\w.])\.\w+|\w+", text.lower())


def lucene_weight(texts: int, containing: int) -> float:
    """Return the inverse document frequency that Lucene and bm25s use: the logarithm of
    1 plus the odds that a text does not contain the word.
    """
    return math.log(1 + (texts - containing + 0.5) / (containing + 0.5))


class BM25Index:
    r"""An inverted index: for each word the texts that contain it, with its share of
    their scores.

    The score of a text for a query is a sum over the query's words,

    $$\sum_w \mathrm{weight}(w) \, \frac{f_w}{f_w + k_1 (1 - b + b \, n / \bar n)},$$

    where word w occurs f times in the text, which has n words, n̄ being the mean.

    Args:
        split: The token rule.
        k1: Larger values let the score saturate more slowly with further occurrences of
            a word; at 0 only the first counts.
        b: The strength of the length normalization, which marks down longer texts, from
            0 to 1.

    Raises:
        ValueError: If there are no texts, `k1` is negative, or `b` is not from 0 to 1.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and
        Beyond, section 3.4, https://doi.org/10.1561/1500000019; the variants follow
        Kamphuis et al., Which BM25 Do You Mean?,
        https://doi.org/10.1007/978-3-030-45442-5_4

    >>> index = BM25Index(["red apple", "green apple", "green tree"])
    >>> index.scores("green apple")
    tensor([0.1880, 0.3760, 0.1880])
    >>> index.search("tree", k=2)
    [2]
    """

    def __init__(
        self,
        texts: Sequence[str],
        split: SplitWords = words,
        k1: float | int = 1.5,
        b: float | int = 0.75,
    ):
        if not texts:
            raise ValueError("There must be at least one text to search, got none.")
        if k1 < 0 or not 0 <= b <= 1:
            raise ValueError(
                f"k1 must be 0 or more and b from 0 to 1, got {k1=}, {b=}."
            )
        self.split, self.size = split, len(texts)
        counts = [Counter(split(text)) for text in texts]
        lengths = [sum(count.values()) for count in counts]
        mean_length = sum(lengths) / len(texts) or 1.0
        postings: dict[str, list[tuple[int, float]]] = {}
        for number, count in enumerate(counts):
            norm = k1 * (1 - b + b * lengths[number] / mean_length)
            for word, frequency in count.items():
                share = frequency / (frequency + norm)
                postings.setdefault(word, []).append((number, share))
        self._postings = {
            word: (
                torch.tensor([number for number, _ in shares]),
                lucene_weight(len(texts), len(shares))
                * torch.tensor([share for _, share in shares], dtype=torch.float64),
            )
            for word, shares in postings.items()
        }

    def scores(self, query: str) -> Float[Tensor, "text"]:
        """Return the score of every text for a query; 0 for those that share no word
        with it.
        """
        return self.exact_scores(query).float()

    def exact_scores(self, query: str) -> Float[Tensor, "text"]:
        """Return the scores in 64-bit floats."""
        scores = torch.zeros(self.size, dtype=torch.float64)
        for word in self.split(query):
            if word in self._postings:
                numbers, shares = self._postings[word]
                scores[numbers] += shares
        return scores

    def search(self, query: str, k: int) -> list[int]:
        """Return the numbers of the texts with the highest scores, best first; fewer
        than `k` if fewer share a word with the query.

        Texts with equal scores come in their own order.

        Raises:
            ValueError: If `k` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}.")
        scores = self.exact_scores(query)
        order = scores.argsort(descending=True, stable=True)[:k]
        return [number for number in order.tolist() if scores[number] > 0]
