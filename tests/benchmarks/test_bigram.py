import math

import pytest

from benchmarks.bigram import BigramModel


def test_bigram_model_is_a_distribution_over_words_and_the_end():
    model = BigramModel([[1, 2], [1, 1, 3]], labels=4)
    for prefix in ((), (1,), (2,), (3,)):
        words = sum(math.exp(model(prefix, label)) for label in (1, 2, 3))
        assert words + math.exp(model(prefix, None)) == pytest.approx(1)
    assert math.exp(model((1,), 1)) == pytest.approx(1.01 / 3.04)
