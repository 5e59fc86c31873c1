from collections.abc import Sequence

import pytest
import torch

from genai_tutorial.safety import (
    Principle,
    critic_scores,
    critique_and_revise,
    unlabelled_verdicts,
)

PRINCIPLE = Principle("private", "country")
WORDS = ("private", "country", "cannot", "answer")


def encode(texts: Sequence[str]) -> torch.Tensor:
    """Count words: a stand-in for a sentence encoder."""
    counts = torch.tensor(
        [[float(text.count(word)) for word in WORDS] for text in texts]
    )
    return torch.nn.functional.normalize(counts, dim=1)


def test_critic_scores_are_the_difference_of_cosines():
    scores = critic_scores(encode, PRINCIPLE, ["private", "country", "private country"])
    torch.testing.assert_close(scores, torch.tensor([1.0, -1.0, 0.0]))


def test_unlabelled_verdicts_leave_out_doubtful_scores():
    scores = torch.tensor([-1.0, -0.9, -0.8, 0.2, 0.9, 1.0, 1.1])
    assert unlabelled_verdicts(scores) == [False, False, False, None, True, True, True]
    shifted = unlabelled_verdicts(scores * 3 + 7)
    assert shifted == unlabelled_verdicts(scores)
    with pytest.raises(ValueError, match="two different scores"):
        unlabelled_verdicts(torch.zeros(3))


def test_critique_and_revise_changes_only_what_the_critic_flags():
    learned = critique_and_revise(
        ["a", "b", "c"], ["1", "2", "3"], [True, None, False], "no"
    )
    assert learned == [("a", "no"), ("c", "3")]
    with pytest.raises(ValueError, match="1 prompts, 2 answers and 1 verdicts"):
        critique_and_revise(["a"], ["1", "2"], [True], "no")
