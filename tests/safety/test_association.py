import math
from itertools import combinations

import pytest
import torch

from genai_tutorial.interpretability import WordVectors
from genai_tutorial.safety import association_test, associations, known_vectors

HE, SHE = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])


def at_angles(*degrees: float) -> torch.Tensor:
    radians = torch.tensor(degrees).deg2rad()
    return torch.stack((radians.cos(), radians.sin()), dim=1)


def test_association_test_equals_hand_calculation():
    """Targets at 0, 30, 60 and 90 degrees are associated by cos - sin."""
    first, second = at_angles(0, 30), at_angles(60, 90)
    s = [math.cos(math.radians(x)) - math.sin(math.radians(x)) for x in (0, 30, 60, 90)]
    mean = sum(s) / 4
    spread = math.sqrt(sum((x - mean) ** 2 for x in s) / 3)
    difference = (s[0] + s[1]) / 2 - (s[2] + s[3]) / 2
    test = association_test(first, second, HE, SHE)
    assert test.difference == pytest.approx(difference, abs=1e-6)
    assert test.effect == pytest.approx(difference / spread, abs=1e-6)
    # Of the six splits, only the observed one has a difference as large.
    assert (test.splits, test.exact) == (6, True)
    assert test.p_value == pytest.approx(1 / 6)


def test_associations_ignore_lengths():
    targets = at_angles(10, 70)
    long = associations(targets * 7, HE * 3, SHE * 0.1)
    torch.testing.assert_close(long, associations(targets, HE, SHE))


def test_association_test_p_value_counts_all_splits_of_unequal_groups():
    generator = torch.Generator().manual_seed(0)
    first, second, a, b = (torch.randn(n, 4, generator=generator) for n in (3, 5, 2, 4))
    scores = associations(torch.cat((first, second)), a, b).double()

    def difference(rows: tuple[int, ...]) -> float:
        chosen = torch.zeros(8, dtype=torch.bool)
        chosen[list(rows)] = True
        return float(scores[chosen].mean() - scores[~chosen].mean())

    values = [difference(rows) for rows in combinations(range(8), 3)]
    expected = sum(value >= values[0] - 1e-9 for value in values) / len(values)
    assert association_test(first, second, a, b).p_value == pytest.approx(expected)


def test_association_test_sampled_p_value_is_near_exact_one_and_never_zero(
    monkeypatch,
):
    first, second = at_angles(0, 5, 30, 50, 20), at_angles(40, 60, 85, 90, 10)
    exact = association_test(first, second, HE, SHE)
    monkeypatch.setattr("genai_tutorial.safety.association._MOST_SPLITS", 200)
    sampled = association_test(first, second, HE, SHE)
    assert [exact.exact, sampled.exact] == [True, False]
    assert sampled.splits == 200
    assert sampled.effect == exact.effect
    assert sampled.p_value == pytest.approx(exact.p_value, abs=0.06)
    extreme = association_test(
        at_angles(*range(10)), at_angles(*range(80, 90)), HE, SHE
    )
    assert extreme.p_value >= 1 / 201


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (at_angles(0), at_angles(1, 2), "at least two words, got 1 and 2"),
        (at_angles(5, 5), at_angles(5, 5), "same association"),
    ],
)
def test_association_test_rejects_bad_arguments(first, second, message):
    with pytest.raises(ValueError, match=message):
        association_test(first, second, HE, SHE)


def test_known_vectors_skip_words_without_vector():
    vectors = WordVectors(("he", "she"), torch.eye(2))
    found = known_vectors(vectors, ["xyz", "she"])
    assert torch.equal(found, torch.tensor([[0.0, 1.0]]))
    with pytest.raises(ValueError, match="xyz has a vector"):
        known_vectors(vectors, ["xyz"])
