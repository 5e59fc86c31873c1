import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.density import NGramModel

texts = st.lists(st.integers(0, 3), min_size=5, max_size=60)


@pytest.mark.slow
@given(texts, st.integers(1, 5), st.lists(st.integers(0, 4), max_size=8))
@settings(max_examples=200)
def test_ngram_probabilities_are_positive_and_sum_to_one(text, order, history):
    # Token 4 never occurs in the text, and the history may hold it: both must still
    # have probabilities.
    probabilities = NGramModel.fit(
        np.array(text), order, vocab_size=5
    ).next_probabilities(history)
    assert probabilities.sum() == pytest.approx(1.0)
    assert (probabilities > 0).all()


@given(texts, st.integers(1, 4), texts)
@settings(max_examples=50)
def test_ngram_log_probabilities_equal_next_probabilities(text, order, unseen):
    model = NGramModel.fit(np.array(text), order, vocab_size=4)
    one_by_one = [
        np.log(model.next_probabilities(unseen[:i])[token])
        for i, token in enumerate(unseen)
    ]
    np.testing.assert_allclose(model.log_probabilities(np.array(unseen)), one_by_one)


def test_ngram_shorter_histories_count_contexts():
    """Kneser and Ney's idea: different contexts count, not occurrences."""
    # 2 always follows 1, and 1 and 2 are as frequent as each other; but 1 follows three
    # different tokens.
    text = np.array([0, 1, 2, 3, 1, 2, 4, 1, 2, 0, 1, 2, 3, 1, 2, 4, 1, 2])
    probabilities = NGramModel.fit(text, order=2, vocab_size=6).next_probabilities([5])
    assert probabilities[1] > probabilities[2]


def test_ngram_higher_order_lowers_the_loss_on_structured_text():
    text = np.tile([0, 0, 1, 0, 1, 1, 2], 50)
    losses = [
        -NGramModel.fit(text, order, 3).log_probabilities(text[:70]).mean()
        for order in (1, 2, 3)
    ]
    assert losses[0] > losses[1] + 0.1
    assert losses[1] > losses[2] + 0.1


@pytest.mark.parametrize(
    ("ids", "order", "message"),
    [
        ([0, 1], 0, "order must be from 1 to"),
        ([0, 1] * 50, 40, "order must be from 1 to 31, got 40"),
        ([0], 2, "at least 2 tokens"),
        ([0, 4], 1, "from 0 to 3, got values from 0 to 4"),
    ],
)
def test_ngram_invalid_arguments_raise(ids, order, message):
    with pytest.raises(ValueError, match=message):
        NGramModel.fit(np.array(ids), order, vocab_size=4)


def test_ngram_tokens_outside_the_vocabulary_raise():
    model = NGramModel.fit(np.array([0, 1, 2]), 2, vocab_size=3)
    with pytest.raises(ValueError, match="from 0 to 2"):
        model.log_probabilities(np.array([0, 3]))
    with pytest.raises(ValueError, match="from 0 to 2"):
        model.next_probabilities([-1])
