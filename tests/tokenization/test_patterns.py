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
def test_the_words_joined_are_the_text(pattern, text):
    assert "".join(pattern.split(text)) == text


@each_pattern
@settings(max_examples=500)
@given(
    text=st.text(st.characters(max_codepoint=127))
    | st.text(st.sampled_from("aZ1_-'sdmtlveLL \t\n\r\x0b\x1c\x1f"))
)
def test_plain_english_is_cut_by_re_as_by_regex(pattern, text):
    assert pattern.split(text) == regex.findall(pattern.expression, text)


@each_pattern
def test_plain_english_really_takes_the_fast_way(pattern):
    text = load_shakespeare().validation
    assert text.isascii()
    assert pattern.split(text) == re.findall(pattern.ascii_expression, text, re.ASCII)
    broken = PreTokenizer("broken", pattern.expression, "a")
    assert broken.split("banana") == ["a", "a", "a"]
    assert broken.split("é banana") == ["é", " banana"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (
            GPT2_PATTERN,
            [
                "I",
                "'ve",
                " 1234",
                " DON",
                "'",
                "T",
                "  ",
                " x",
                "!!",
                "\n",
                "\n",
                "y",
                " ",
            ],
        ),
        (
            GPT4_PATTERN,
            ["I", "'ve", " ", "123", "4", " DON", "'T", "  ", " x", "!!\n\n", "y", " "],
        ),
        (
            SMOLLM2_PATTERN,
            [
                "I",
                "'ve",
                " ",
                "1",
                "2",
                "3",
                "4",
                " DON",
                "'",
                "T",
                "  ",
                " x",
                "!!",
                "\n",
                "\n",
                "y",
                " ",
            ],
        ),
    ],
    ids=["gpt2", "gpt4", "smollm2"],
)
def test_what_each_pattern_is_known_for(pattern, words):
    assert pattern.split("I've 1234 DON'T   x!!\n\ny ") == words


@given(text=st.text() | TRICKY)
def test_smollm2_is_digits_first_and_then_gpt2(text):
    pieces = regex.split(r"(\p{N})", text)
    assert SMOLLM2_PATTERN.split(text) == [
        word for piece in pieces for word in GPT2_PATTERN.split(piece)
    ]


@pytest.mark.parametrize("character", [" ", "\n", "a", "1", "-", "'"])
@each_pattern
def test_a_long_run_takes_no_long_time(pattern, character):
    # quadratic time would be minutes, and pytest's time-out would end it
    text = character * 200_000 + "é"
    assert "".join(pattern.split(text)) == text


def test_an_expression_is_checked():
    with pytest.raises(ValueError, match=r"'mine' does not compile: missing \)"):
        PreTokenizer("mine", "(")
    with pytest.raises(ValueError, match="'mine' has capturing groups"):
        PreTokenizer("mine", "(a)|.")


def test_a_pattern_of_ones_own():
    assert PreTokenizer("letters", r"(?s).").split("a\né") == ["a", "\n", "é"]
