"""Near-duplicates by MinHash, checked against comparing all pairs of documents."""

import re
from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.corpus import (
    MinHash,
    candidate_pairs,
    candidate_probability,
    deduplicate,
    jaccard,
    shingles,
)
from genai_tutorial.corpus.minhash import BANDS, THRESHOLD, clusters
from genai_tutorial.data import load_shakespeare

SHUFFLES = 128


@pytest.fixture(scope="module")
def library():
    """Return 300 pages of the plays, each with a copy in which some words are
    replaced, for all degrees of similarity.
    """
    random = np.random.default_rng(0)
    words = np.array(load_shakespeare().train.split()[:45_000])
    texts = []
    for page in words.reshape(300, 150):
        changed = random.random(150) < random.choice(
            [0.005, 0.01, 0.02, 0.03, 0.05, 0.1]
        )
        copy = np.where(changed, random.choice(words, 150), page)
        texts += [" ".join(page), " ".join(copy)]
    members = [shingles(text) for text in texts]
    signatures = [MinHash(SHUFFLES).signature(member) for member in members]
    return texts, members, np.stack(signatures)


def _exact(members, threshold):
    """Return all pairs at least as similar as the threshold, from the documents that
    contain each shingle.
    """
    owners, shared = defaultdict(list), Counter()
    for place, member in enumerate(members):
        for shingle in member:
            owners[shingle].append(place)
    for places in owners.values():
        shared.update(combinations(places, 2))
    return {
        (a, b)
        for (a, b), count in shared.items()
        if count >= threshold * (len(members[a]) + len(members[b]) - count)
    }


def test_shingles_ignore_case_and_punctuation():
    assert shingles("To be, or not to be") == shingles("to BE; or... not to be!")
    assert len(shingles("a b a b a b a b")) == 2
    assert len(shingles("too short")) == 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shared", [0, 100, 300, 500])
def test_minhash_agreement_estimates_jaccard(seed, shared):
    # 1,000 different numbers in all, `shared` of them in both sets; five standard
    # deviations of the estimate.
    numbers = np.random.default_rng(seed).choice(2**32, 1000, replace=False).tolist()
    a, b = set(numbers[:shared]), set(numbers[:shared])
    a.update(numbers[shared : (1000 + shared) // 2])
    b.update(numbers[(1000 + shared) // 2 :])
    similarity = jaccard(a, b)
    assert similarity == pytest.approx(shared / 1000)
    hasher = MinHash(shuffles=1024, seed=seed)
    agreement = (hasher.signature(a) == hasher.signature(b)).mean()
    assert agreement == pytest.approx(
        similarity, abs=5 * (similarity * (1 - similarity) / 1024) ** 0.5 + 1e-9
    )


def test_minhash_signature_depends_on_set_and_seed_only():
    members = list(range(40_000))  # more than are hashed at once
    signature = MinHash().signature(set(members))
    assert np.array_equal(signature, MinHash().signature(members[::-1]))
    halves = [MinHash().signature(members[:7]), MinHash().signature(members[7:])]
    # the minimum of a union is the minimum of the parts' minima
    assert np.array_equal(signature, np.minimum(*halves))
    assert not np.array_equal(signature, MinHash(seed=1).signature(members))
    assert signature.shape == (128,)


def test_candidate_probability_matches_simulation():
    """The formula gives the probability that at least one whole band agrees."""
    random = np.random.default_rng(0)
    for similarity in (0.5, 0.7, 0.8, 0.9):
        agree = random.random((20_000, 8, 4)) < similarity
        share = agree.all(axis=2).any(axis=1).mean()
        assert candidate_probability(similarity, bands=8, rows=4) == pytest.approx(
            share, abs=0.015
        )


def test_candidate_pairs_recall_matches_the_formula(library):
    """Recall is as the formula predicts, with few comparisons."""
    texts, members, signatures = library
    duplicates = _exact(members, THRESHOLD)
    candidates = candidate_pairs(signatures, BANDS)
    found = {
        (a, b) for a, b in candidates if jaccard(members[a], members[b]) >= THRESHOLD
    }
    promised = [
        candidate_probability(jaccard(members[a], members[b]), BANDS, SHUFFLES // BANDS)
        for a, b in duplicates
    ]
    assert len(duplicates) > 100
    # precision 1, because candidates are compared exactly
    assert found <= duplicates
    spread = sum(p * (1 - p) for p in promised) ** 0.5
    assert len(found) == pytest.approx(sum(promised), abs=4 * spread)
    assert len(found) >= 0.97 * len(duplicates)
    # it compares few pairs
    assert len(candidates) < 0.005 * len(texts) * (len(texts) - 1) / 2


def test_candidate_pairs_grow_with_bands(library):
    _, members, signatures = library
    few, many = candidate_pairs(signatures, 8), candidate_pairs(signatures, 32)
    assert few < many
    duplicates = _exact(members, 0.6)
    assert len(duplicates & few) < 0.6 * len(duplicates)
    assert len(duplicates & many) > 0.97 * len(duplicates)


@pytest.mark.slow
def test_deduplicate_keeps_one_of_each_group(library):
    texts, members, _ = library
    result = deduplicate(texts)
    assert len(result.kept) + sum(len(group) - 1 for group in result.groups) == len(
        texts
    )
    left = _exact([members[place] for place in result.kept], THRESHOLD)
    assert len(left) <= 0.03 * len(_exact(members, THRESHOLD))
    assert all(group[0] in result.kept for group in result.groups)


def test_deduplicate_groups_are_transitive():
    """A copy of a copy belongs to the group of the original."""
    text = [f"word{number}" for number in range(60)]
    generations = [" ".join(text[shift : shift + 50]) for shift in (0, 3, 6)]
    first, middle, last = map(shingles, generations)
    assert jaccard(first, last) < 0.8 < jaccard(first, middle)
    result = deduplicate(generations)
    assert result.groups == ((0, 1, 2),)
    assert result.kept == (0,)


@pytest.mark.slow
@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2))
        )
    )
)
@settings(max_examples=200)
def test_clusters_are_connected_components(case):
    count, pairs = case
    reach = np.eye(count, dtype=int)
    for a, b in pairs:
        reach[a, b] = reach[b, a] = 1
    reach = np.linalg.matrix_power(reach, count) > 0
    expected = {tuple(np.flatnonzero(row).tolist()) for row in reach if row.sum() > 1}
    assert {tuple(group) for group in clusters(count, pairs)} == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MinHash(0), "shuffles must be at least 1, got 0"),
        (lambda: MinHash().signature(set()), "at least one member"),
        (lambda: candidate_pairs(np.zeros((2, 10)), 3), r"bands=3, shape (2, 10)"),
    ],
)
def test_minhash_arguments_are_validated(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
