import json
import re

import pytest

from genai_tutorial.generation import regex_from_schema
from genai_tutorial.tasks.people import (
    PROFILE_EXAMPLE,
    PROFILE_SCHEMA,
    ExtractionJudgement,
    extraction_prompt,
    judge_extraction,
    random_profiles,
)


def test_random_profiles_are_told_and_judged_right():
    profiles = random_profiles(12, seed=0)
    assert len({profile.name for profile in profiles}) == 12
    assert PROFILE_EXAMPLE.name not in {profile.name for profile in profiles}
    assert profiles == random_profiles(12, seed=0) != random_profiles(12, seed=1)
    pattern = regex_from_schema(PROFILE_SCHEMA)
    for profile in profiles:
        for fact in (profile.name, str(profile.age), profile.city, *profile.hobbies):
            assert fact in profile.text
        judged = judge_extraction(profile.json, profile)
        assert judged == ExtractionJudgement(True, True, 5)
        assert re.fullmatch(pattern, profile.json)


@pytest.mark.parametrize(
    ("change", "fits", "right"),
    [
        ({}, True, 5),
        ({"name": "Ann"}, True, 4),
        ({"age": "41"}, False, 4),
        ({"age": True}, False, 4),
        ({"member": 0}, False, 4),
        ({"hobbies": ["books", "sport", "chess"]}, False, 4),
        ({"hobbies": ["books"] * 4}, False, 4),
        ({"city": "x" * 25}, False, 4),
        ({"more": 1}, False, 5),
    ],
)
def test_judge_extraction_counts_schema_and_facts_apart(change, fits, right):
    answer = json.dumps(json.loads(PROFILE_EXAMPLE.json) | change)
    judged = judge_extraction(f" {answer}\n\nText:", PROFILE_EXAMPLE)
    assert judged == ExtractionJudgement(True, fits, right)


@pytest.mark.parametrize("answer", ["", "Mia", "{", '{"name": Mia}', '{"name": "Mia"'])
def test_judge_extraction_of_what_is_not_json(answer):
    judged = judge_extraction(answer, PROFILE_EXAMPLE)
    assert judged == ExtractionJudgement(False, False, 0)


def test_judge_extraction_accepts_any_order_and_white_space():
    facts = json.loads(PROFILE_EXAMPLE.json)
    answer = json.dumps(dict(reversed(facts.items())), indent=2)
    assert judge_extraction(answer, PROFILE_EXAMPLE).fits_schema
    del facts["age"]
    assert not judge_extraction(json.dumps(facts), PROFILE_EXAMPLE).fits_schema


def test_extraction_prompt_ends_before_the_space():
    (profile,) = random_profiles(1, seed=0)
    for example in (None, PROFILE_EXAMPLE):
        prompt = extraction_prompt(profile, example)
        assert prompt.endswith(f"{profile.text}\nJSON:")
        assert (PROFILE_EXAMPLE.json in prompt) == (example is not None)
