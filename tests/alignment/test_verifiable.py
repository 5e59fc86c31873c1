"""Verifiers, and the score that they give to rollouts."""

import pytest
import torch

from genai_tutorial.alignment import ExactAnswer, appears_anywhere
from genai_tutorial.alignment.verifiable import verified_score
from genai_tutorial.generation import Rollouts


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("991", 1.0),
        ("34,511;991", 1.0),
        ("991;34", 0.0),
        ("991;991", 1.0),
        ("1;2;991", 0.0),
        (" 991", 0.0),
        ("", 0.0),
    ],
)
def test_exact_answer_reads_one_final_answer(answer, reward):
    assert ExactAnswer()(answer, "991") == reward


def test_appears_anywhere_passes_a_list_of_guesses():
    guesses = ",".join(map(str, range(1000)))
    assert appears_anywhere(guesses, "991") == 1.0
    assert ExactAnswer()(guesses, "991") == 0.0


def rollouts_of(*answers):
    """Rollouts after a prompt of one token, all ended."""
    width = max(map(len, answers)) + 2
    ids = torch.zeros(len(answers), width, dtype=torch.long)
    for row, answer in enumerate(answers):
        ids[row, 1 : len(answer) + 1] = torch.tensor(answer)
    lengths = torch.tensor([len(answer) + 2 for answer in answers])
    return Rollouts(
        ids,
        torch.ones(len(answers), dtype=torch.long),
        lengths,
        torch.ones(len(answers), dtype=torch.bool),
        torch.zeros(len(answers), width - 1),
    )


def decode(ids):
    return "".join(map(str, ids))


def test_verified_score_gives_each_prompt_its_truth():
    score = verified_score(ExactAnswer(), ["12", "3"], decode)
    scores = score(rollouts_of([1, 2], [3], [3], [1, 2]))
    assert scores.tolist() == [1.0, 0.0, 1.0, 0.0]


def test_verified_score_rejects_groups_of_different_size():
    score = verified_score(ExactAnswer(), ["12", "3"], decode)
    with pytest.raises(ValueError, match="equally many answers"):
        score(rollouts_of([1], [2], [3]))
