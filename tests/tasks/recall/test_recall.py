"""Rows of pairs and questions, whose answer is the newest value of a key; and without
training: what is exact, and which rule forgets what.
"""

import jaxtyping
import pytest
import torch
from torch import nn

from genai_tutorial.tasks.recall import (
    answer_accuracy,
    recall_batch,
    stored_recall,
    table_batch,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def check_answers(inputs, targets):
    """Check each answer against a dictionary that reads the row."""
    for row, wanted in zip(inputs.tolist(), targets.tolist(), strict=True):
        first = next(n for n, target in enumerate(wanted) if target != -100)
        stored = dict(zip(row[:first:2], row[1:first:2], strict=True))
        asked = [n for n, target in enumerate(wanted) if target != -100]
        assert asked == list(range(first, len(row), 2))
        assert len(asked) == 12
        assert all(wanted[n] == stored[row[n]] for n in asked)
        assert all(32 <= value < 64 for value in stored.values())


@pytest.mark.parametrize("overwritten", [False, True])
def test_recall_batch_asks_for_the_newest_value(overwritten):
    inputs, targets = recall_batch(20, 6, generator(), overwritten=overwritten)
    check_answers(inputs, targets)
    writes = inputs[:, : inputs.shape[1] - 23]
    counts = [sorted(map(row.count, set(row))) for row in writes[:, ::2].tolist()]
    assert counts == [[1, 1, 1, 2, 2, 2] if overwritten else [1] * 6] * 20


def test_table_batch_writes_each_key_at_least_once():
    inputs, targets = table_batch(20, 5, generator())
    check_answers(inputs, targets)
    assert all(len(set(row)) == 5 for row in inputs[:, :48:2].tolist())
    firsts = {row[0] for row in inputs[:, :10:2].tolist()}
    assert len(firsts) > 1


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="There are 32 keys"):
        recall_batch(2, 33, generator())
    with pytest.raises(ValueError, match="more than 24 writes"):
        table_batch(2, 25, generator())


def test_answer_accuracy_counts_only_the_targets():
    class Echo(nn.Module):
        def forward(self, ids):
            return nn.functional.one_hot(ids, 64).float()

    inputs = torch.tensor([[1, 2, 3, 4]])
    targets = torch.tensor([[-100, 2, 9, -100]])
    assert answer_accuracy(Echo(), inputs, targets) == 0.5


def recall(rule, pairs, **settings):
    return stored_recall(rule, pairs, generator(), **settings)


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


def test_small_beta_recalls_as_many_as_adding_and_decay_one_is_adding():
    add = recall("add", 24)
    total = add.mean().item()
    assert recall("delta", 24).mean() < total - 0.2
    assert recall("delta", 24, beta=0.01).mean().item() == pytest.approx(
        total, abs=0.02
    )
    assert recall("decay", 24, decay=1.0).equal(add)


def test_overwritten_values_do_not_count():
    share = recall("add", 8, overwritten=True)
    assert share.isnan().tolist() == [True] * 4 + [False] * 8


def test_unknown_rule_is_refused():
    with pytest.raises((ValueError, jaxtyping.TypeCheckError), match="rule"):
        recall("hebb", 4)
