"""What a judge reads, ranks, and the leaderboards where the truth is known."""

import pytest
import torch

from benchmarks.evaluation import (
    best_variants,
    judge_prompt,
    orders,
    rigged,
    spearman,
    true_ratings,
)
from genai_tutorial.tasks.assistant import Question

ASKED = Question(
    "What is the capital of Kenya?", "known", "Kenya", "capital", "Nairobi"
)
NAMES = ["sft", "sft, temperature 1.0", "other"]


def make_table(strengths=(0.4, 0.0, -0.4)):
    """One rater without taste, four equal questions."""
    value = torch.tensor(strengths, dtype=torch.float64)
    p = (value[:, None] - value).sigmoid()
    return p[None, :, :, None].expand(1, 3, 3, 4).contiguous()


def test_judge_prompt_has_the_key_only_on_request():
    plain = judge_prompt(ASKED, "Nairobi", "Lima", key=False)
    assert "Answer A: Nairobi\nAnswer B: Lima" in plain
    assert "right answer" not in plain
    assert "right answer is: Nairobi" in judge_prompt(ASKED, "a", "b", key=True)


def test_spearman_of_orders():
    values = torch.tensor([3.0, 1.0, 2.0])
    assert spearman(values, 10 * values) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)


def test_true_ratings_are_the_strengths():
    ratings = true_ratings(make_table())
    points = 400 / torch.log(torch.tensor(10.0)).item()
    assert ratings.tolist() == pytest.approx(
        [1000 + 0.4 * points, 1000, 1000 - 0.4 * points], abs=0.1
    )


def test_orders_move_elo_and_not_bradley_terry():
    found = orders(make_table(), torch.Generator().manual_seed(0), small=True)
    assert found["range"] > 0
    assert found["bradley-terry moves"] < 1e-6


def test_best_of_many_equal_variants_gains():
    generator = torch.Generator().manual_seed(0)
    table = make_table()
    gains = best_variants(table, true_ratings(table), NAMES, 100, generator, True)
    assert 0 < gains["3"] < gains["10"] <= gains["27"]


def test_rigged_votes_raise_a_rank():
    ranks = rigged(make_table((0.1, 0.0, -0.4)), NAMES, 3, torch.Generator())
    assert ranks["0.1"] <= ranks["0.0"]
    assert ranks["0.1"] == 1
