"""BabyAI's rooms, their bot, and the verifier of what an agent faces first."""

import pytest
import torch

from genai_tutorial.tasks.babyai import (
    BABYAI_WORDS,
    ONE_THING,
    BabyAIAnswers,
    BabyAIGames,
    babyai_images,
    demonstrate_babyai,
    play_babyai,
)

HELD_OUT = {("red", "key"), ("blue", "box"), ("yellow", "ball")}


def wander(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda images, words: torch.randint(3, (len(images),), generator=generator)


def pairs(games):
    return [tuple(sentence.split()[-2:]) for sentence in games.instructions]


def test_images_are_the_ones_that_minigrid_draws():
    games = BabyAIGames(20, seed=1)
    for action in (0, 2, 1, 2, 2):
        # MiniGrid rounds the brightness of its tiles down to whole numbers
        ours = (255 * babyai_images(games.views()) + 1e-3).byte()
        for room, image in zip(games.rooms, ours, strict=True):
            theirs = room.get_frame(tile_size=8, agent_pov=True)
            assert torch.equal(image, torch.from_numpy(theirs).permute(2, 0, 1))
            room.step(action)


@pytest.mark.parametrize("told_other", [False, True])
def test_level_pays_when_the_agent_faces_the_named_thing(told_other):
    games = BabyAIGames(40, seed=2, told_other=told_other)
    generator = torch.Generator().manual_seed(0)
    paid = 0
    for room, name in zip(games.rooms, pairs(games), strict=True):
        for _ in range(30):
            action = int(torch.randint(3, (1,), generator=generator))
            _, reward, ended, *_ = room.step(action)
            thing = room.grid.get(*room.front_pos)
            faced = thing is not None and (thing.color, thing.type) == name
            assert (reward > 0) == faced == ended
            paid += faced
            if ended:
                break
    assert 5 < paid < 35


@pytest.mark.slow
def test_first_thing_faced_differs_from_success():
    result = play_babyai(wander(0), BabyAIGames(100, seed=3))
    assert not (result.named & result.other).any()
    assert result.solved[result.named].all()
    assert (result.solved & result.other).any()  # paid for the second thing it faced
    assert result.answers is None


def test_other_instruction_names_the_other_thing_of_the_same_room():
    games = BabyAIGames(30, seed=4)
    other = BabyAIGames(30, seed=4, told_other=True)
    assert torch.equal(games.views(), other.views())
    assert torch.equal(games.maps(), other.maps())
    assert games.words().shape == (30, len(BABYAI_WORDS))
    assert (games.words().sum(dim=1) == 2).all()
    for first, second in zip(pairs(games), pairs(other), strict=True):
        assert first != second


def test_held_out_things_are_in_no_other_room():
    for level in (ONE_THING, "BabyAI-GoToLocalS6N2-v0"):
        assert not HELD_OUT & set(pairs(BabyAIGames(60, seed=5, level=level)))
    assert set(pairs(BabyAIGames(30, seed=5, held_out=True))) <= HELD_OUT
    assert not HELD_OUT & set(pairs(BabyAIGames(60, seed=5, told_other=True)))


@pytest.mark.slow
def test_bot_solves_its_demonstrations_in_the_same_way_every_time():
    answers = demonstrate_babyai(20, seed=6)
    again = demonstrate_babyai(20, seed=6)
    assert torch.equal(answers.actions, again.actions)
    result = play_babyai(None, BabyAIGames(100, seed=6))
    assert result.solved.all()
    assert result.named.float().mean() > 0.85
    assert len(result.answers.actions) == result.steps.sum()


@pytest.mark.slow
def test_bot_answers_in_states_that_another_agent_visits():
    games = BabyAIGames(30, seed=7)
    first = games.views()
    result = play_babyai(wander(1), games, ask=True)
    played = play_babyai(None, BabyAIGames(30, seed=7))
    assert torch.equal(result.answers.views[:30], first)
    assert torch.equal(result.answers.actions[:30], played.answers.actions[:30])
    assert len(result.answers.actions) > 0.9 * result.steps.sum()
    both = BabyAIAnswers.join([result.answers, played.answers])
    assert len(both.words) == len(result.answers.words) + len(played.answers.words)
