"""The recipes of the Latin squares: the config decides about the loss and the order."""

import dataclasses

import pytest
import torch

from genai_tutorial.recipes import (
    LATIN_LEFT_TO_RIGHT,
    LATIN_MASKED,
    held_out_puzzles,
    load,
    parse_options,
    sample,
)
from genai_tutorial.tasks.latin import is_latin, solve_left_to_right
from tests.recipes.conftest import run_recipe


@pytest.mark.parametrize("recipe", [LATIN_LEFT_TO_RIGHT, LATIN_MASKED])
def test_first_losses_are_those_of_a_model_that_knows_nothing(recipe, tmp_path):
    """A masked model never predicts the mask, so five numbers are left."""
    short = dataclasses.replace(recipe, batch_size=4)
    numbers = 6 if recipe.config.attention.causal else 5
    expected = torch.tensor(float(numbers)).log().item()
    losses = run_recipe(short, tmp_path, steps=1).notes["losses"]
    assert losses == pytest.approx([expected], abs=1e-3)


@pytest.mark.slow
def test_score_is_whether_the_drawn_puzzles_are_solved():
    model = load(LATIN_LEFT_TO_RIGHT.name)
    scores = LATIN_LEFT_TO_RIGHT.score(model, 300, seed=3)
    solved = is_latin(solve_left_to_right(model, held_out_puzzles(8))).tolist()
    assert sum(scores) == sum(solved)
    assert scores != solved  # in another order


@pytest.mark.parametrize("recipe", [LATIN_LEFT_TO_RIGHT, LATIN_MASKED])
def test_sample_keeps_the_clues_and_says_whether_the_square_is_latin(recipe):
    model, options = load(recipe.name), parse_options(recipe, ["clues=16"])
    texts = sample(recipe, model, options, 6, seed=0).items
    assert len(set(texts)) > 1
    for text in texts:
        *rows, verdict = text.splitlines()
        puzzle, solved = zip(*(row.split("    ") for row in rows), strict=True)
        numbers = "".join(solved).replace(" ", "")
        for given, number in zip(
            "".join(puzzle).replace(" ", ""), numbers, strict=True
        ):
            assert given in (".", number)
        assert "".join(puzzle).count(".") == 9
        square = torch.tensor([[int(n) for n in numbers]])
        assert verdict == (
            "a Latin square" if is_latin(square) else "not a Latin square"
        )
