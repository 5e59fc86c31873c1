import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.worldmodels import (
    TableWorld,
    action_values,
    five_places,
)
from genai_tutorial.worldmodels.planning import cross_entropy_plan
from tests.drawn import seeded


@given(slip=st.floats(0, 0.99))
def test_five_places_rows_are_distributions(slip):
    rows = five_places(slip).transitions.sum(dim=-1)
    assert torch.allclose(rows, torch.ones(5, 2), atol=1e-6)


def test_five_places_pay_for_the_right_end_only():
    world = five_places(slip=0)
    places = torch.arange(4)
    there, rewards, continues = world.step(places, torch.ones(4, dtype=torch.int64))
    assert there.tolist() == [1, 2, 3, 4]
    assert rewards.tolist() == [0, 0, 0, 1]
    assert continues.tolist() == [1, 1, 1, 0]


def test_action_values_solve_the_linear_equations_of_the_best_policy():
    world, discount = five_places(slip=0.2), 0.9
    values = action_values(world, discount)
    right = world.transitions[:, 1]
    paid = (right * world.rewards[:, 1]).sum(dim=-1)
    later = discount * right * (1 - world.ends)
    exact = torch.linalg.solve(torch.eye(5) - later, paid)
    assert (values.argmax(dim=1)[:4] == 1).all()
    assert torch.allclose(values[:4].amax(dim=1), exact[:4], atol=1e-5)


def test_plans_lead_to_the_goal_with_the_fewest_presses():
    world = five_places(slip=0)
    place, presses = torch.zeros(1, dtype=torch.int64), 0
    while place[0] != 4 and presses < 10:
        button = cross_entropy_plan(world.step, place, 2, seeded())
        place = world.step(place, button)[0]
        presses += 1
    assert presses == 4  # the fewest there are; random buttons need about 20


def test_table_world_refuses():
    with pytest.raises(ValueError, match=r"slip must be from 0 to below 1, got 1\.0"):
        five_places(1.0)
    with pytest.raises(ValueError, match="discount must be from 0 to 1"):
        action_values(five_places(), 1.5)


def test_table_world_step_draws_with_the_written_probabilities():
    world = TableWorld(
        torch.tensor([[[0.25, 0.75]], [[0.0, 1.0]]]),
        torch.zeros(2, 1, 2),
        torch.zeros(2),
    )
    games = torch.zeros(4000, dtype=torch.int64)
    there = world.step(games, games, seeded())[0]
    assert there.float().mean() == pytest.approx(0.75, abs=0.03)
