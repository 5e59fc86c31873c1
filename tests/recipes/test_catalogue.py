import dataclasses
import json

import pytest

from genai_tutorial.recipes import Recipe, names, recipe
from genai_tutorial.recipes.catalogue import RECIPES
from genai_tutorial.recipes.recipe import build
from genai_tutorial.transformer import DecoderLM


def test_recipe_is_found_by_its_name():
    assert len(set(names())) == len(RECIPES)
    assert [recipe(name) for name in names()] == list(RECIPES)


def test_recipe_with_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError,
        match=r"no recipe 'hamlet'\. There are: shakespeare-live, shakespeare",
    ):
        recipe("hamlet")


@pytest.mark.parametrize("chosen", RECIPES, ids=names())
def test_recipe_has_all_its_settings(chosen):
    assert isinstance(chosen, Recipe)
    assert chosen.source.licence
    assert chosen.steps >= 1
    assert not chosen.title.endswith(".")


@pytest.mark.parametrize(
    "chosen",
    [
        # `build` lays out the whole of SmolLM2, twice
        pytest.param(
            one, marks=[pytest.mark.slow] if one.name == "smollm2-tools" else []
        )
        for one in RECIPES
    ],
    ids=names(),
)
def test_recipe_round_trip_through_json(chosen):
    saved = json.loads(json.dumps(dataclasses.asdict(chosen)))
    assert saved.keys() == {field.name for field in dataclasses.fields(chosen)}
    rebuilt, made = (
        build(chosen, {"recipe": settings})
        for settings in (saved, dataclasses.asdict(chosen))
    )
    shapes = [
        {name: weight.shape for name, weight in model.state_dict().items()}
        for model in (rebuilt, made)
    ]
    assert shapes[0] == shapes[1]


def test_recipe_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECIPES[0].steps = 1


@pytest.mark.slow
def test_shakespeare_live_has_at_most_the_parameters_of_the_plain_gpt():
    # The plain GPT of benchmarks/language_model.py, with this alphabet: 4 layers of
    # width 128 and context 64.
    plain = 64 * 128 + 64 * 128 + 4 * (12 * 128 * 128 + 2 * 128) + 128
    assert (
        DecoderLM(recipe("shakespeare-live").config).parameter_count() <= 1.02 * plain
    )


@pytest.mark.parametrize("chosen", RECIPES, ids=names())
def test_schedule_ends_near_zero_however_long_the_run(chosen):
    """A recipe's schedule reaches 1 and falls to 0, also over another number of
    steps.
    """
    for count in (chosen.steps, 5, 1000):
        schedule = chosen.schedule().over(count)
        assert schedule(count) == pytest.approx(0.0, abs=1e-9)
        assert max(schedule(step) for step in range(count)) == pytest.approx(1.0)
