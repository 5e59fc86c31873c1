import re

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.data import load_shakespeare
from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    PreTokenizer,
)

each_pattern = pytest.mark.parametrize(
    "pattern",
    [GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN],
    ids=lambda pattern: pattern.name,
)
TRICKY = st.text(
    st.sampled_from("aZ ſßé1२¾'’sdmtlveLL\t\n\r\x0b\x1c\x1f\x85\xa0\u2028_-\U0001f600")
)


@each_pattern
@given(text=st.text() | TRICKY)
def test_split_words_joined_are_the_text(pattern, text):
    assert "".join(pattern.split(text)) == text


@pytest.mark.slow
@each_pattern
@settings(max_examples=500)
@given(
    text=st.text(st.characters(max_codepoint=127))
    | st.text(st.sampled_from("aZ1_-'sdmtlveLL \t\n\r\x0b\x1c\x1f"))
)
def test_ascii_split_equals_regex(pattern, text):
    assert pattern.split(text) == regex.findall(pattern.expression, text)


@each_pattern
def test_ascii_text_uses_the_fast_expression(pattern):
    text = load_shakespeare().validation
    assert text.isascii()
    assert pattern.split(text) == re.findall(pattern.ascii_expression, text, re.ASCII)
    broken = PreTokenizer("broken", pattern.expression, "a")
    assert broken.split("banana") == ["a", "a", "a"]
    assert broken.split("é banana") == ["é", " banana"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (GPT2_PATTERN, "I|'ve| 1234| DON|'|T|  | x|!!|\n|\n|y| "),
        (GPT4_PATTERN, "I|'ve| |123|4| DON|'T|  | x|!!\n\n|y| "),
        (SMOLLM2_PATTERN, "I|'ve| |1|2|3|4| DON|'|T|  | x|!!|\n|\n|y| "),
    ],
    ids=["gpt2", "gpt4", "smollm2"],
)
def test_split_gives_the_known_words_of_each_pattern(pattern, words):
    assert pattern.split("I've 1234 DON'T   x!!\n\ny ") == words.split("|")


@given(text=st.text() | TRICKY)
def test_smollm2_pattern_splits_digits_then_as_gpt2(text):
    pieces = regex.split(r"(\p{N})", text)
    assert SMOLLM2_PATTERN.split(text) == [
        word for piece in pieces for word in GPT2_PATTERN.split(piece)
    ]


@pytest.mark.parametrize("character", [" ", "\n", "a", "1", "-", "'"])
@each_pattern
def test_split_time_does_not_grow_quadratically_with_a_run(pattern, character):
    # quadratic time would take minutes and hit pytest's time-out
    text = character * 200_000 + "é"
    assert "".join(pattern.split(text)) == text


def test_pre_tokenizer_checks_its_expression():
    with pytest.raises(ValueError, match=r"'mine' does not compile: missing \)"):
        PreTokenizer("mine", "(")
    with pytest.raises(ValueError, match="'mine' has capturing groups"):
        PreTokenizer("mine", "(a)|.")
    assert PreTokenizer("letters", r"(?s).").split("a\né") == ["a", "\n", "é"]
