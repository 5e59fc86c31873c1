"""Recall without training: what is exact, and which rule forgets what."""

import jaxtyping
import pytest
import torch

from genai_tutorial.tasks.recall import stored_recall


def recall(rule, pairs, **settings):
    return stored_recall(rule, pairs, torch.Generator().manual_seed(0), **settings)


def test_attention_over_all_pairs_recalls_everything():
    assert recall("softmax", 24).min() == 1


@pytest.mark.parametrize("rule", ["add", "delta", "least squares"])
def test_one_pair_is_exact_and_many_are_not(rule):
    assert recall(rule, 1).item() == 1
    assert recall(rule, 64, key_width=8).mean() < 0.9


def test_least_squares_is_the_best_matrix():
    best = recall("least squares", 16).mean()
    assert best > max(recall(rule, 16).mean() for rule in ("add", "decay", "delta"))


def test_decay_and_delta_forget_the_oldest_and_adding_does_not():
    for rule in ("decay", "delta"):
        share = recall(rule, 64)
        assert share[-8:].mean() > share[:8].mean() + 0.5
    share = recall("add", 64)
    assert abs(share[-8:].mean() - share[:8].mean()) < 0.1


def test_overwritten_values_do_not_count():
    share = recall("add", 8, overwritten=True)
    assert share.isnan().tolist() == [True] * 4 + [False] * 8


def test_unknown_rule_is_refused():
    with pytest.raises((ValueError, jaxtyping.TypeCheckError), match="rule"):
        recall("hebb", 4)
