import math

import pytest

from genai_tutorial.retrieval import BM25Index, words, words_and_codes
from genai_tutorial.retrieval.bm25 import lucene_weight

TEXTS = ["the red apple", "the green apple tree", "the tree the tree", "a pear"]


def test_bm25_search_orders_and_leaves_out_texts_without_words():
    index = BM25Index(TEXTS)
    assert index.search("green tree", k=3) == [1, 2]
    assert index.search("quince", k=3) == []
    assert BM25Index(["...", ""]).search("anything", k=1) == []
    with pytest.raises(ValueError, match="k must be at least 1"):
        index.search("tree", k=0)


def test_two_documents_break_the_weight_that_can_be_negative():
    # A word in one of two texts has even odds, whose logarithm is 0: the plain weight
    # finds nothing, and a word in both is negative.
    assert math.log((2 - 1 + 0.5) / (1 + 0.5)) == 0
    assert lucene_weight(2, 1) > lucene_weight(2, 2) > 0


def test_words_and_codes_keeps_codes_and_drops_full_stops():
    assert words("End in .ke, or .co.uk.") == ["end", "in", "ke", "or", "co", "uk"]
    assert words_and_codes("End in .ke.") == ["end", "in", ".ke"]
    assert words_and_codes("Left...then 3.5 km.") == ["left", "then", "3", "5", "km"]


@pytest.mark.parametrize(
    ("texts", "k1", "b", "message"),
    [
        ([], 1, 0.5, "at least one text"),
        (TEXTS, -1, 0.5, "k1 must be 0 or more"),
        (TEXTS, 1, 1.1, "b from 0 to 1"),
    ],
)
def test_bm25_rejects_impossible_settings(texts, k1, b, message):
    with pytest.raises(ValueError, match=message):
        BM25Index(texts, k1=k1, b=b)
