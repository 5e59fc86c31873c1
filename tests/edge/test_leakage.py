"""What an update gives away, against the text that it came from."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.edge import (
    adamw,
    best_match,
    gradient_of,
    local_update,
    ngram_rows_in,
    row_norms,
    texts_from_rows,
)
from genai_tutorial.edge.leakage import gradient_distance
from genai_tutorial.training import TokenBatches
from tests.edge.models import CONFIGS, disturbed, tokens

FAST = CONFIGS["fast"]


def tokens_in(update):
    """The rows of the embedding that an update changes."""
    return set(row_norms(update).nonzero()[:, 0].tolist())


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_tokens_in_a_gradient_are_the_texts_but_for_its_last(seed):
    text = tokens(seed, 8)
    assert tokens_in(gradient_of(disturbed(FAST), text)) == set(text[:-1].tolist())


def test_tokens_in_several_steps_are_those_of_all_windows():
    text = torch.tensor([1, 5, 2, 5, 1, 2, 5, 1, 1, 2] * 3)
    update, _ = local_update(
        disturbed(FAST), TokenBatches(text, 6, 2, 0), 4, adamw(0.01)
    )
    assert tokens_in(update) == {1, 2, 5}


def test_tied_embeddings_hide_nothing_but_mark_no_token():
    """An output layer that shares the table gives every row a gradient."""
    gradient = gradient_of(disturbed(CONFIGS["GPT-2"]), tokens(0, 8))
    assert tokens_in(gradient) == set(range(13))


def test_ngram_rows_are_the_texts_pairs_and_triples():
    text = torch.tensor([4, 7, 7, 2])
    rows = ngram_rows_in(gradient_of(disturbed(FAST), text))
    assert rows[2] == {0 * 13 + 4, 4 * 13 + 7, 7 * 13 + 7}  # 0 stands before the text
    assert rows[3] == {4, 4 * 13 + 7, 4 * 13**2 + 7 * 13 + 7}


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_text_is_among_those_that_its_rows_allow(seed):
    model, text = disturbed(FAST), tokens(seed, 9)
    found = texts_from_rows(model, ngram_rows_in(gradient_of(model, text)), 8)
    assert text[:-1].tolist() in found.tolist()


def test_texts_from_rows_use_each_row_and_no_others():
    model, text = disturbed(FAST), tokens(5, 12)
    gradient = gradient_of(model, text)
    rows = ngram_rows_in(gradient)
    for candidate in texts_from_rows(model, rows, 11):
        whole = torch.cat((candidate, text[-1:]))
        assert ngram_rows_in(gradient_of(model, whole)) == rows


def test_texts_from_rows_says_that_the_length_is_wrong():
    model, text = disturbed(FAST), tokens(5, 12)
    rows = ngram_rows_in(gradient_of(model, text))
    with pytest.raises(ValueError, match="another length"):
        texts_from_rows(model, rows, 4)


def test_best_match_is_the_text_behind_the_gradient():
    model, text = disturbed(FAST), tokens(1, 8)
    others = [text.flip(0), tokens(2, 8), text, text.roll(1)]
    found, distance = best_match(model, others, gradient_of(model, text))
    assert torch.equal(found, text)
    assert distance == pytest.approx(0, abs=1e-6)


def test_gradient_distance_compares_directions():
    gradient = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[3.0]])}
    scaled = {name: 5 * value for name, value in gradient.items()}
    opposite = {name: -value for name, value in gradient.items()}
    assert gradient_distance(gradient, scaled) == pytest.approx(0, abs=1e-9)
    assert gradient_distance(gradient, opposite) == pytest.approx(2)


def test_leakage_names_the_missing_table():
    gradient = gradient_of(disturbed(CONFIGS["Llama"]), tokens(0, 8))
    with pytest.raises(ValueError, match="no table of n-grams"):
        ngram_rows_in(gradient)
    with pytest.raises(ValueError, match="no 'elsewhere'"):
        row_norms(gradient, "elsewhere")
    with pytest.raises(ValueError, match="two tokens"):
        gradient_of(disturbed(FAST), tokens(0, 1))
