"""Needles are where they should be, in texts that are no longer than asked for."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.retrieval import split_sentences
from genai_tutorial.tasks.long_context import (
    Haystack,
    depth_grid,
    many_keys,
    many_values,
    single_needle,
    variable_tracking,
)
from genai_tutorial.tokenization import train_bpe

PROSE = " ".join(
    f"{name} walked along the {place} for {hours} hours without a word."
    for hours in (2, 3, 4, 5)
    for name in ("Anna", "Bela", "Carl", "Dora")
    for place in ("river", "coast", "old road", "quiet northern border")
)
TOKENIZER = train_bpe([PROSE, "The secret code of Karsk is 4821."], 300)
HAY = Haystack.of(PROSE, TOKENIZER)


def place_of(task, needle):
    """Return where a needle is, as a share of the tokens of the hay."""
    before, _, after = task.prompt.rpartition("\n\n")[0].partition(needle)
    hay = task.without_needles().prompt.rpartition("\n\n")[0]
    assert before or after, "the needle is in the hay"
    for other in task.needles:
        before = before.replace(f"{other} ", "")
    return len(TOKENIZER.encode(before)) / len(TOKENIZER.encode(hay))


@settings(max_examples=25)
@given(
    length=st.integers(150, 900),
    depth=st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]),
    kind=st.sampled_from(["code", "word"]),
    seed=st.integers(0, 50),
)
def test_single_needle_is_at_its_depth_in_a_text_of_its_length(
    length, depth, kind, seed
):
    task = single_needle(HAY, length, depth, kind, seed)
    tokens = len(TOKENIZER.encode(task.prompt))
    longest = max(HAY.counts)
    assert length - longest - 5 <= tokens <= length + 2
    [needle] = task.needles
    assert task.prompt.count(needle) == 1
    hay = task.without_needles().prompt.rpartition("\n\n")[0]
    nearest = longest / 2 + 3
    assert abs(place_of(task, needle) - depth) <= nearest / len(TOKENIZER.encode(hay))
    beginning, _, answer = needle.rpartition(" ")
    assert task.prompt.endswith(f"\n\n{beginning}")
    assert task.answers == (f" {answer.rstrip('.')}",)
    assert bool(re.fullmatch(r" \d{4}", task.answers[0])) == (kind == "code")


@pytest.mark.parametrize("depth", [0.0, 0.5, 1.0])
def test_control_is_the_same_hay_without_the_needle(depth):
    task = single_needle(HAY, 400, depth)
    control = task.without_needles()
    assert control.answers == task.answers
    assert not control.needles
    assert task.answers[0].strip() not in control.prompt
    assert control.prompt.rpartition("\n\n")[0] in PROSE


def test_same_seed_has_the_same_hay_at_all_depths():
    grid = depth_grid(HAY, [300, 500], [0.1, 0.8], seeds=[3, 4])
    assert set(grid) == {(300, 0.1), (300, 0.8), (500, 0.1), (500, 0.8)}
    for first, second in zip(grid[300, 0.1], grid[300, 0.8], strict=True):
        assert first.prompt != second.prompt
        assert first.without_needles().prompt == second.without_needles().prompt
    one, other = grid[500, 0.1]
    assert one.answers != other.answers


def test_many_keys_hides_secrets_of_different_cities_and_asks_for_one():
    task = many_keys(HAY, 600, 0.5, keys=4, seed=1)
    secrets = [needle.split()[-1].rstrip(".") for needle in task.needles]
    cities = [needle.split()[4] for needle in task.needles]
    assert len(set(cities)) == len(set(secrets)) == 4
    assert all(task.prompt.count(needle) == 1 for needle in task.needles)
    assert task.answers == (f" {secrets[0]}",)
    assert task.prompt.endswith(f"The secret code of {cities[0]} is")
    assert abs(place_of(task, task.needles[0]) - 0.5) < 0.1


def test_many_values_asks_for_all_codes_of_one_city():
    task = many_values(HAY, 500, values=3, seed=2)
    assert len(set(task.answers)) == 3
    for needle, answer in zip(task.needles, task.answers, strict=True):
        assert needle.endswith(f"is{answer}.")
    places = [task.prompt.index(needle) for needle in task.needles]
    assert places == sorted(places)
    assert task.depth == pytest.approx(1 / 6)


def test_variable_tracking_leads_from_the_last_name_to_the_value():
    task = variable_tracking(HAY, 600, hops=3, seed=5)
    value = {}
    for sentence in task.needles:  # in the order of the text
        new, rest = re.fullmatch(
            r"The secret code of (\w+) is (.*)\.", sentence
        ).groups()
        old = re.fullmatch(r"the same as the secret code of (\w+)", rest)
        value[new] = value[old[1]] if old else rest
    asked = re.search(r"The secret code of (\w+) is$", task.prompt)[1]
    assert len(value) == 4
    assert task.answers == (f" {value[asked]}",)
    assert asked == list(value)[-1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: single_needle(HAY, 400, 1.5), r"Depths are from 0 to 1, got \[1.5\]"),
        (lambda: single_needle(HAY, 10, 0.5), "needs 1 tokens of hay"),
        (lambda: single_needle(HAY, 10**6, 0.5), "choose another length or more prose"),
        (lambda: many_keys(HAY, 400, 0.5, keys=13), "keys must be from 1 to 12, got"),
        (lambda: many_values(HAY, 400, values=0), "values must be from 1 to 10, got 0"),
        (lambda: variable_tracking(HAY, 400, hops=0), "hops must be from 1 to 11, got"),
    ],
)
def test_impossible_tasks_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_haystack_counts_the_tokens_of_its_sentences():
    spans = split_sentences(PROSE)
    assert len(HAY.sentences) == len(spans) == 64
    assert HAY.counts[1] == len(TOKENIZER.encode(f" {HAY.sentences[1]}"))
    generator = torch.Generator().manual_seed(0)
    text = HAY.hide([(0.0, "One."), (1.0, "Two.")], "Three?", 200, generator)
    assert text.startswith("One. ")
    assert text.endswith(" Two.\n\nThree?")


def test_length_without_room_for_the_first_sentence_is_refused():
    """A text without hay would be its own control."""
    prose = " ".join(["on and " * 60 + "on."] * 3)
    hay = Haystack.of(prose, train_bpe([prose], 260))
    with pytest.raises(ValueError, match="choose a larger length, or prose with"):
        single_needle(hay, 100, 0.5)
