import json

import pytest

from benchmarks.extraction_judge import ExtractionJudgement, judge_extraction
from genai_tutorial.tasks.people import PROFILE_EXAMPLE, random_profiles


def test_profiles_are_judged_right():
    for profile in random_profiles(12, seed=0):
        judged = judge_extraction(profile.json, profile)
        assert judged == ExtractionJudgement(True, True, 5)


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
