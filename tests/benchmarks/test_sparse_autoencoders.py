import random

import numpy as np
import pytest
import torch

from benchmarks import sparse_autoencoders
from benchmarks.sparse_autoencoders import ACTIVE, aurocs, best_column, pursued
from benchmarks.steering import split_reviews
from genai_tutorial.metrics import auroc
from genai_tutorial.runtime import record


def test_aurocs_of_columns_are_those_of_the_package():
    scores = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)).relu()
    labels = np.arange(60) % 3 == 0
    expected = [auroc(column, torch.from_numpy(labels)) for column in scores.T]
    assert aurocs(scores, labels) == pytest.approx(expected)


def test_best_column_is_chosen_with_its_sign_on_the_training_set():
    labels = np.array([True, True, False, False])
    train = torch.tensor([[0.0, 1.0], [0.0, 2.0], [1.0, 1.0], [2.0, 2.0]])
    truth = np.array([True, False])
    test = torch.tensor([[1.0, 0.0], [3.0, 9.0]])
    assert best_column(train, labels, test, truth, signed=True) == 1.0
    assert best_column(train, labels, test, truth, signed=False) == 0.0


def test_pursuit_rebuilds_sums_of_directions_of_any_length_but_no_longer_sums():
    directions = torch.eye(32) * torch.arange(1.0, 33.0)[:, None]
    signs = torch.tensor([1.0, -1.0]).repeat(16)
    x = torch.stack([signs * (torch.arange(32) < n) for n in (ACTIVE, ACTIVE + 3)])
    rest = (pursued(x, directions) - x).square().sum(dim=1)
    assert rest.tolist() == pytest.approx([0, 3], abs=1e-5)


def test_parentheses_and_next_tokens_are_labelled_without_the_first_token(monkeypatch):
    class Tokenizer:
        def decode(self, ids):
            return ["x", " (", " y", ")", "."][ids[0]]

    monkeypatch.setattr(sparse_autoencoders, "smollm2", lambda: (None, Tokenizer()))
    words = sparse_autoencoders.Words(torch.tensor([[0, 1, 2, 3, 4]]))
    assert words.in_parentheses().tolist() == [False, True, False, False]
    before = words.label(lambda text: text == ".", ahead=1)
    assert before.tolist() == [False, False, True, False]


def test_reviews_are_split_into_halves_without_overlap():
    halves = split_reviews(random.Random(0))
    assert not {i.question for i in halves[0]} & {i.question for i in halves[1]}
    for half in halves:
        assert sum(item.answer == "positive" for item in half) == len(half) / 2


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("superposition", ("toy", "dictionary", "absorption")),
        ("sparse_autoencoders", ("features", "untrained")),
        ("steering", ("strengths",)),
    ],
)
def test_records_have_five_seeds_of_every_part(name, parts):
    runs = record(name)
    assert all(list(runs[part]) == list("01234") for part in parts)
