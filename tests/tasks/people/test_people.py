"""The people task: what is held out is held out, and answers can be read back."""

import re

import pytest

from genai_tutorial.generation import regex_from_schema
from genai_tutorial.tasks.people import (
    _CITIES,
    _NAMES,
    _SENTENCES,
    PROFILE_EXAMPLE,
    PROFILE_SCHEMA,
    PersonSentence,
    describe_people,
    extraction_prompt,
    few_shot_messages,
    random_profiles,
    read_profile_json,
)


def test_held_out_words_are_in_no_demonstration():
    for words in (_NAMES, _CITIES, _SENTENCES):
        assert not set(words["trained"]) & set(words["held-out"])
    texts = " ".join(person.text for person in describe_people(400, "trained"))
    for word in (*_NAMES["held-out"], *_CITIES["held-out"]):
        assert word not in texts.replace(",", "").replace(".", "").split()


@pytest.mark.parametrize("wording", ["trained", "held-out"])
def test_describe_people_states_each_fact_once(wording):
    people = describe_people(200, wording, seed=3)
    for person in people:
        assert list(person.facts) == ["name", "age", "city"]
        for fact in person.facts.values():
            assert person.text.count(str(fact)) == 1
    assert people == describe_people(200, wording, seed=3)
    assert people != describe_people(200, wording, seed=4)


def test_describe_people_uses_every_sentence():
    texts = [person.text for person in describe_people(200, "held-out")]
    for sentence in _SENTENCES["held-out"]:
        ending = sentence.rpartition("}")[2]
        assert any(text.endswith(ending) for text in texts)


def test_answer_reads_back_as_the_facts():
    person = PersonSentence("Zoe is 30.", {"name": "Zoe", "age": 30, "city": "Riga"})
    assert read_profile_json(person.answer) == person.facts


def test_few_shot_messages_end_with_the_question():
    *examples, asked = describe_people(4)
    messages = few_shot_messages(examples, asked)
    roles = [message.role for message in messages]
    assert roles == ["user", "assistant"] * 3 + ["user"]
    assert messages[-1].content == asked.text
    assert [one.content for one in messages[1::2]] == [one.answer for one in examples]


def test_describe_people_refuses_an_unknown_wording():
    # With the shape checker on, it finds the wrong argument first (a TypeError).
    with pytest.raises((ValueError, TypeError), match="wording"):
        describe_people(1, "other")


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
