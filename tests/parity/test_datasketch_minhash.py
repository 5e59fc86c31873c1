"""Signatures and candidates against datasketch, the library for them; its scheme
affine64 came with 2.0.
"""

import datasketch
import numpy as np
import pytest

from genai_tutorial.corpus import MinHash, candidate_pairs


def _theirs(ours, members):
    sketch = datasketch.MinHash(
        ours.shuffles,
        hashfunc=lambda number: number,
        permutations=ours.factors_and_shifts(),
        scheme="affine64",
    )
    sketch.update_batch(members)
    return sketch


@pytest.mark.parametrize("seed", range(3))
def test_signatures_are_equal_to_the_last_bit(seed):
    members = (
        np.random.default_rng(seed).integers(0, 2**64, 5000, dtype=np.uint64).tolist()
    )
    ours = MinHash(shuffles=64, seed=seed)
    assert np.array_equal(ours.signature(members), _theirs(ours, members).hashvalues)


@pytest.mark.parametrize(("bands", "rows"), [(16, 8), (32, 4)])
def test_the_same_pairs_are_candidates(bands, rows):
    random, ours = np.random.default_rng(0), MinHash(bands * rows)
    documents = [
        set(range(start, start + 100))
        for start in random.integers(0, 2000, 150).tolist()
    ]
    index = datasketch.MinHashLSH(num_perm=bands * rows, params=(bands, rows))
    sketches = [_theirs(ours, document) for document in documents]
    for place, sketch in enumerate(sketches):
        index.insert(place, sketch)
    expected = {
        (a, b)
        for a, sketch in enumerate(sketches)
        for b in index.query(sketch)
        if a < b
    }
    pairs = candidate_pairs(
        np.stack([ours.signature(document) for document in documents]), bands
    )
    assert pairs == expected
    assert len(pairs) > 50
