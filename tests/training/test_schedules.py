import math

import pytest

from genai_tutorial.training import (
    Schedule,
    warmup_cosine,
    warmup_linear,
    warmup_stable_decay,
)


def test_warmup_cosine_has_the_values_of_its_formula():
    schedule = Schedule(steps=2000, warmup_steps=100, final_factor=0.1)
    assert [schedule(step) for step in (0, 49, 99)] == pytest.approx([0.01, 0.5, 1.0])
    for step in (100, 101, 700, 1050, 1999):
        expected = 0.1 + 0.9 * (1 + math.cos(math.pi * (step - 100) / 1900)) / 2
        assert schedule(step) == pytest.approx(expected, abs=1e-12)
    assert schedule(2000) == pytest.approx(0.1)
    assert schedule(5000) == pytest.approx(0.1)  # beyond the end it stays


def test_warmup_linear_has_a_plateau_and_a_straight_fall():
    schedule = warmup_linear(steps=100, warmup_steps=4, decay_steps=40)
    assert [schedule(step) for step in range(5)] == pytest.approx(
        [0.25, 0.5, 0.75, 1.0, 1.0]
    )
    assert {schedule(step) for step in range(4, 61)} == {1.0}
    falls = [schedule(step) - schedule(step + 1) for step in range(60, 100)]
    assert falls == pytest.approx([1 / 40] * 40)
    assert schedule(100) == 0


def test_schedule_without_decay_stays_at_one():
    assert [
        Schedule(steps=5, warmup_steps=2, decay="none")(step) for step in range(5)
    ] == [0.5, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("decay", ["linear", "cosine", "sqrt", "none"])
def test_schedule_cooldown_ends_at_zero(decay):
    whole = Schedule(steps=80, warmup_steps=5, decay=decay, final_factor=0.5)
    cooled = Schedule(
        steps=100, warmup_steps=5, decay=decay, final_factor=0.5, cooldown_steps=20
    )
    assert [cooled(step) for step in range(81)] == [whole(step) for step in range(81)]
    end = 1.0 if decay == "none" else 0.5
    assert [cooled(step) for step in (80, 85, 90, 99, 100, 500)] == pytest.approx(
        [end, end * 0.75, end * 0.5, end * 0.05, 0, 0]
    )


def test_schedule_warmup_may_take_the_whole_run():
    assert [Schedule(steps=2, warmup_steps=2)(step) for step in range(3)] == [
        0.5,
        1.0,
        1.0,
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        (
            {"steps": 5, "warmup_steps": 6},
            r"warmup_steps must be from 0 to steps \(5\), got 6",
        ),
        ({"steps": 5, "warmup_steps": -1}, "got -1"),
        (
            {"steps": 9, "warmup_steps": 4, "decay_steps": 6},
            r"what warmup and cooldown leave \(5\), got 6",
        ),
        (
            {"steps": 5, "cooldown_steps": 6},
            r"cooldown_steps must be from 0 to what the warmup leaves \(5\), got 6",
        ),
        ({"steps": 5, "final_factor": 1.5}, "from 0 to 1; got 1.5"),
    ],
)
def test_schedule_refuses_settings_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**settings)


def test_schedule_refuses_an_unknown_decay():
    # the shape checker speaks first where it is on
    with pytest.raises((ValueError, TypeError), match="square"):
        Schedule(steps=5, decay="square")


def test_warmup_stable_decay_plateau_does_not_depend_on_the_length():
    short, long = (
        warmup_stable_decay(steps, warmup_steps=5, decay_steps=steps // 5)
        for steps in (50, 100)
    )
    assert [short(step) for step in range(41)] == [long(step) for step in range(41)]
    assert {long(step) for step in range(5, 81)} == {1.0}
    assert [long(step) for step in (80, 85, 96, 100)] == pytest.approx(
        [1, 1 - 0.25**0.5, 1 - 0.8**0.5, 0]
    )
    cosines = [warmup_cosine(steps, 5) for steps in (50, 100)]
    assert cosines[0](20) < cosines[1](20) - 0.1, (
        "a cosine must know its end from the beginning"
    )
