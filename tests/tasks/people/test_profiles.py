import re

from genai_tutorial.generation import regex_from_schema
from genai_tutorial.tasks.people import (
    PROFILE_EXAMPLE,
    PROFILE_SCHEMA,
    extraction_prompt,
    random_profiles,
)


def test_random_profiles_are_told():
    profiles = random_profiles(12, seed=0)
    assert len({profile.name for profile in profiles}) == 12
    assert PROFILE_EXAMPLE.name not in {profile.name for profile in profiles}
    assert profiles == random_profiles(12, seed=0) != random_profiles(12, seed=1)
    pattern = regex_from_schema(PROFILE_SCHEMA)
    for profile in profiles:
        for fact in (profile.name, str(profile.age), profile.city, *profile.hobbies):
            assert fact in profile.text
        assert re.fullmatch(pattern, profile.json)


def test_extraction_prompt_ends_before_the_space():
    (profile,) = random_profiles(1, seed=0)
    for example in (None, PROFILE_EXAMPLE):
        prompt = extraction_prompt(profile, example)
        assert prompt.endswith(f"{profile.text}\nJSON:")
        assert (PROFILE_EXAMPLE.json in prompt) == (example is not None)
