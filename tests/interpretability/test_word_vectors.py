"""Word vectors, and analogies with them."""

import math
from collections import Counter

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.interpretability import (
    ANALOGY_FAMILIES,
    WordVectors,
    cooccurrence_counts,
    positive_pmi,
    score_analogies,
    split_into_words,
)

# Two sets of contexts without common words: one for cats and dogs, one for suns and
# moons.
WORLDS = [
    "the cat sleeps here",
    "the dog sleeps here",
    "a sun shines there",
    "a moon shines there",
] * 3


def test_split_into_words_drops_digits_and_punctuation():
    text = "Don’t—he said—PAY 3 euros, naïve «Émile»: o'clock_x 'quoted'."
    words = [
        "don't",
        "he",
        "said",
        "pay",
        "euros",
        "naïve",
        "émile",
        "o'clock",
        "x",
        "quoted",
    ]
    assert split_into_words(text) == words


words = st.lists(st.sampled_from("abcde"), max_size=12)


@settings(max_examples=50)
@given(st.lists(words, max_size=4), st.integers(1, 5))
def test_cooccurrence_counts_equal_two_loops(sentences, window):
    expected = Counter()
    for sentence in sentences:
        for i, word in enumerate(sentence):
            for j, other in enumerate(sentence):
                if 0 < abs(i - j) <= window:
                    expected[word, other] += 1
    counted = cooccurrence_counts(sentences, "abcd", window).toarray()
    assert counted.tolist() == [[expected[a, b] for b in "abcd"] for a in "abcd"]


def test_positive_pmi_equals_a_calculation_by_hand():
    # a and b meet twice, c and d once: p(a, b) = 2/6 = p(a) = p(b), which is 3 times as
    # often as by chance.
    counts = cooccurrence_counts([["a", "b"], ["a", "b"], ["c", "d"]], "abcd", window=1)
    table = positive_pmi(counts, smoothing=1).toarray()
    assert table[0, 1] == table[1, 0] == pytest.approx(math.log(3))
    assert table[2, 3] == table[3, 2] == pytest.approx(math.log(6))
    assert np.count_nonzero(table) == 4
    # With smoothing 1/2 the contexts' shares are sqrt(2), sqrt(2), 1, 1 in sum: rare c
    # and d are less of a surprise.
    smooth = positive_pmi(counts, smoothing=0.5).toarray()
    total = 2 * math.sqrt(2) + 2
    assert smooth[2, 3] == pytest.approx(math.log(total))
    assert smooth[0, 1] == pytest.approx(math.log(total / math.sqrt(2)))


def test_positive_pmi_is_zero_below_chance():
    counts = scipy.sparse.csr_array(np.array([[9.0, 1.0], [1.0, 9.0]]))
    table = positive_pmi(counts, smoothing=1).toarray()
    assert table == pytest.approx(np.diag([math.log(1.8)] * 2))
    with pytest.raises(ValueError, match="smoothing must be above 0"):
        positive_pmi(counts, smoothing=0)


def test_words_with_the_same_contexts_get_the_same_vector():
    vectors = WordVectors.fit(WORLDS, dimensions=2, window=3, min_count=1)
    assert vectors.similarity("cat", "dog") == pytest.approx(1, abs=1e-5)
    assert vectors.similarity("cat", "moon") == pytest.approx(0, abs=1e-5)
    assert set(dict(vectors.nearest("sun", 4))) == {"moon", "shines", "there", "a"}
    torch.testing.assert_close(
        vectors.vectors.norm(dim=1), torch.ones(len(vectors.words))
    )


def test_word_vectors_equal_a_truncated_svd():
    texts = [
        " ".join(
            "abcdefgh"[i % 8] + " " + "abcdefgh"[i * i % 7] for i in range(start, 90)
        )
        for start in range(4)
    ]
    fitted = WordVectors.fit(texts, dimensions=3, window=2, min_count=1)
    counts = cooccurrence_counts(
        [split_into_words(text) for text in texts], fitted.words, window=2
    )
    left, strength, _ = np.linalg.svd(positive_pmi(counts).toarray())
    expected = left[:, :3] * np.sqrt(strength[:3])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    # The signs of the columns are free; the products of the rows are not.
    products = (fitted.vectors @ fitted.vectors.T).numpy()
    np.testing.assert_allclose(products, expected @ expected.T, atol=1e-4)


def test_analogy_is_vector_arithmetic():
    corners = torch.tensor([[1.0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [-1, -1, 0]])
    given = WordVectors(
        ("man", "woman", "king", "queen", "stone"),
        torch.nn.functional.normalize(corners, dim=1),
    )
    ((best, similarity),) = given.analogy("man", "woman", "king")
    assert best == "queen"
    assert similarity > 0.9
    # the words of the question are excluded
    assert given.analogy("man", "man", "queen")[0][0] not in ("man", "queen")
    assert len(given.nearest("man", count=99)) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimensions": 11}, "less than the number of words, got 11 for 10"),
        ({"dimensions": 0}, "dimensions must be from 1"),
        ({"min_count": 100}, "for 0 words that occur at least 100 times; give more"),
        ({"window": 0}, "window must be at least 1 word"),
    ],
)
def test_word_vectors_refuse_invalid_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        WordVectors.fit(WORLDS, **{"min_count": 1, "dimensions": 2} | settings)


def test_fit_refuses_a_single_string():
    with pytest.raises(ValueError, match=r"got one string; give \[text\]"):
        WordVectors.fit(WORLDS[0], min_count=1, dimensions=2)


def test_cooccurrence_counts_refuse_duplicate_words():
    with pytest.raises(ValueError, match="every word only once, got 1"):
        cooccurrence_counts([["a"]], ["a", "a"], window=1)


def test_word_vectors_name_unknown_words():
    vectors = WordVectors.fit(WORLDS, dimensions=2, min_count=1)
    assert "cat" in vectors
    assert "whale" not in vectors
    with pytest.raises(KeyError, match="no vector for 'whale'"):
        vectors.nearest("whale")


PAIRS = [("man", "woman"), ("king", "queen"), ("boy", "girl"), ("uncle", "aunt")]


def vectors(points):
    return WordVectors(tuple(points), torch.tensor(list(points.values())))


def test_score_analogies_finds_a_common_direction():
    # The second word of a pair is a step along the last axis. A decoy is nearer to the
    # first word, so that nearness alone does not find it.
    points = {}
    for axis, (a, b) in enumerate(PAIRS[:3]):
        step = [0.0, 0.0, 0.0, 0.0]
        step[axis] = 1.0
        points[a], points[b] = step, [*step[:3], 2.0]
        points[f"decoy of {a}"] = [2 * x for x in step]
    scores = score_analogies(vectors(points), PAIRS)
    assert scores.by_analogy == [1.0, 1.0, 1.0]  # uncle and aunt have no vector
    assert scores.by_nearness == [0.0, 0.0, 0.0]


def test_score_analogies_credits_nearness_to_the_baseline():
    points = {"man": [1.0, 0.0], "woman": [0.9, 0.1], "king": [0.0, 1.0]}
    points |= {"queen": [0.1, 0.9]}
    scores = score_analogies(vectors(points), PAIRS[:2])
    assert scores.by_nearness == [1.0, 1.0]


def test_score_analogies_needs_another_pair():
    points = {"man": [1.0, 0.0], "woman": [0.9, 0.1]}
    with pytest.raises(ValueError, match="man, woman needs another pair"):
        score_analogies(vectors(points), PAIRS[:2])


def test_analogy_families_have_pairs_of_two_words_without_repetition():
    assert len(ANALOGY_FAMILIES) == 7
    for pairs in ANALOGY_FAMILIES.values():
        assert all(len(pair) == 2 and pair[0] != pair[1] for pair in pairs)
        assert len(set(pairs)) == len(pairs)
