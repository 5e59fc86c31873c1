import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.worldmodels import (
    Experiences,
    TableWorld,
    action_values,
    five_places,
    learn_table,
)
from genai_tutorial.worldmodels.planning import cross_entropy_plan


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def explore(world, steps, generator):
    """Press random buttons, from the first place on and again after each end."""
    buttons = torch.randint(2, (steps,), generator=generator)
    state, seen = torch.zeros(1, dtype=torch.int64), []
    for button in buttons.split(1):
        next_state, reward, continues = world.step(state, button, generator)
        seen.append((state, button, next_state, reward, continues))
        state = next_state if continues else torch.zeros_like(state)
    return Experiences(*(torch.cat(column) for column in zip(*seen, strict=True)))


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


def test_learn_table_counts_what_happened():
    world = five_places()
    seen = explore(world, 300, generator())
    learned = learn_table(seen)
    here = (seen.states == 1) & (seen.actions == 1)
    share = (seen.next_states[here] == 2).float().mean()
    assert torch.allclose(learned.transitions[1, 1, 2], share)
    assert learned.ends.tolist() == world.ends.tolist()


def test_learn_table_comes_closer_to_the_world_with_more_steps():
    world = five_places()

    def error(steps, seed):
        seen = explore(world, steps, generator(seed))
        learned = learn_table(seen).transitions[:-1]
        return (learned - world.transitions[:-1]).abs().mean()

    few, many = (
        sum(error(steps, seed) for seed in range(4)) / 4 for steps in (60, 2400)
    )
    assert many < few / 4


def test_learn_table_predicts_that_an_untried_button_does_nothing():
    seen = explore(five_places(), 1, generator())
    untried = 1 - int(seen.actions[0])
    assert learn_table(seen).transitions[0, untried].tolist() == [1, 0, 0, 0, 0]


def test_action_values_solve_the_linear_equations_of_the_best_policy():
    world, discount = five_places(slip=0.2), 0.9
    values = action_values(world, discount)
    right = world.transitions[:, 1]
    paid = (right * world.rewards[:, 1]).sum(dim=-1)
    later = discount * right * (1 - world.ends)
    exact = torch.linalg.solve(torch.eye(5) - later, paid)
    assert (values.argmax(dim=1)[:4] == 1).all()
    assert torch.allclose(values[:4].amax(dim=1), exact[:4], atol=1e-5)


def test_plans_in_the_learned_table_lead_to_the_goal_in_the_real_one():
    world = five_places(slip=0)
    learned = learn_table(explore(world, 300, generator()))
    place, presses = torch.zeros(1, dtype=torch.int64), 0
    while place[0] != 4 and presses < 10:
        button = cross_entropy_plan(learned.step, place, 2, generator())
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
    there = world.step(games, games, generator())[0]
    assert there.float().mean() == pytest.approx(0.75, abs=0.03)
