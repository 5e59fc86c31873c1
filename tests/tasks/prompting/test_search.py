import pytest

from genai_tutorial.tasks.prompting import (
    PAST_TENSE,
    PAST_TENSE_FORMATS,
    random_prompts,
    search_prompts,
    split_items,
)


def test_split_items_uses_each_item_once():
    development, held_out = split_items(PAST_TENSE, 10, seed=3)
    assert len(development.items) == 10
    assert {*development.items, *held_out.items} == {*PAST_TENSE.items}
    assert len(held_out.items) == 40
    assert development.pool == held_out.pool == PAST_TENSE.pool
    assert split_items(PAST_TENSE, 10, seed=4)[0].items != development.items


def test_random_prompts_vary_format_number_and_demonstrations():
    prompts = random_prompts(PAST_TENSE, PAST_TENSE_FORMATS, 40, (1, 4), seed=0)
    assert prompts == random_prompts(PAST_TENSE, PAST_TENSE_FORMATS, 40, (1, 4), seed=0)
    assert len({prompt.template for prompt in prompts}) > 6
    assert {len(prompt.demonstrations) for prompt in prompts} == {1, 4}
    assert len({prompt.demonstrations for prompt in prompts}) > 20


def test_search_prompts_keeps_the_first_of_the_best():
    prompts = random_prompts(PAST_TENSE, PAST_TENSE_FORMATS, 5)
    scores = dict(zip(prompts, (0.1, 0.7, 0.2, 0.7, 0.0), strict=True))
    found = search_prompts(prompts, scores.__getitem__)
    assert found.best == prompts[1]
    assert found.score == 0.7
    assert found.scores == tuple(scores.values())


@pytest.mark.parametrize("development", [0, 50])
def test_split_items_refuses_empty_sides(development):
    with pytest.raises(ValueError, match="development must be from 1 to 49"):
        split_items(PAST_TENSE, development)


def test_search_refuses_nothing_to_try():
    with pytest.raises(ValueError, match="at least one prompt"):
        search_prompts([], lambda prompt: 0.0)
    with pytest.raises(ValueError, match="a prompt to draw"):
        random_prompts(PAST_TENSE, [], 3)
