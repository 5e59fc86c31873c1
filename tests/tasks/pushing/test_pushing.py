"""The program solves every game, for both shapes; images and words say which."""

import pytest
import torch
from torch.nn.functional import pad

from genai_tutorial.tasks.pushing import (
    PUSHING_WORDS,
    draw_games,
    load_demonstrations,
    play,
    pushing_moves,
)


def draw(count=60, seed=0, **settings):
    return draw_games(count, torch.Generator().manual_seed(seed), **settings)


def run_moves(games, moves):
    return play(lambda seen: pad(moves, (0, 0, 0, 8)), games, every=48)


@pytest.mark.parametrize("gives_away", [False, True])
def test_program_solves_the_games_it_is_told(gives_away):
    games = draw(gives_away=gives_away)
    moves, counts = pushing_moves(games, torch.Generator().manual_seed(0))
    assert run_moves(games, moves).solved.all()
    assert all(moves[n, count:].abs().sum() == 0 for n, count in enumerate(counts))


def test_other_shape_can_be_pushed_too_but_is_another_task():
    games = draw()
    other = games.told_other()
    moves, _ = pushing_moves(other, torch.Generator().manual_seed(0))
    end = run_moves(other, moves)
    assert end.solved.all()
    assert not end.history[-1].told_other().solved(games).any()


def test_gripper_starts_between_the_shapes_or_beside_the_named_one():
    games, beside = draw(), draw(gives_away=True)
    game = torch.arange(60)
    for drawn, nearer in ((games, 0.5), (beside, 1.0)):
        far = (drawn.places - drawn.gripper[:, None]).norm(dim=2)
        named = far[game, drawn.target] < far[game, 1 - drawn.target]
        assert abs(named.float().mean() - nearer) < 0.25


def test_words_and_instruction_agree():
    games = draw(20)
    for hot, sentence in zip(games.words(), games.instructions, strict=True):
        told = [
            word for word, on in zip(PUSHING_WORDS, hot.tolist(), strict=True) if on
        ]
        assert len(told) == 3
        assert all(word in sentence for word in told)


def test_image_shows_the_gripper_where_it_is():
    games = draw(5)
    for image, (x, y) in zip(games.images(), games.gripper.tolist(), strict=True):
        assert image[:, round(y - 1) + 1, round(x - 1) + 1].sum() == 0


def test_standing_still_solves_nothing_and_open_loop_executes_the_chunk():
    games = draw(10)
    still = play(lambda seen: torch.zeros(len(seen), 16, 2), games, every=16)
    assert not still.solved.any()
    assert len(still.history) == 49
    with pytest.raises(ValueError, match="at most the chunk's 16 moves"):
        play(lambda seen: torch.zeros(len(seen), 16, 2), games, every=17)
    with pytest.raises(ValueError, match="every must be at least 1"):
        play(lambda seen: torch.zeros(len(seen), 16, 2), games, every=0)


def test_demonstrations_belong_together():
    examples = load_demonstrations(6, seed=0, frames=4)
    assert len(examples.images) == len(examples.words) == len(examples.chunks) == 24
    assert examples.words.sum(1).eq(3).all()
    with pytest.raises(ValueError, match="at least 1"):
        load_demonstrations(0, seed=0)
    with pytest.raises(ValueError, match="count must be"):
        draw_games(0, torch.Generator())
