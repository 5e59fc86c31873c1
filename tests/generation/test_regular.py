import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import NOTHING, derivative, matches, parse_regex
from genai_tutorial.generation.regular import EMPTY, advance

PATTERNS = [
    "",
    "abc",
    "a|bc|b",
    "(a|b)*abb",
    "a{2,4}b?",
    "(ab){2,}",
    "a+?b*?",
    "[a-c]{0,3}d",
    "[^ab]c",
    ".a",
    r"\d+\.\d*",
    r"\w\W|\s\S|\D",
    "é|e|ö{2}",
    "[à-ÿ]b",
    "[^à-ÿ]",
    "[\x00-\U0010ffff]",
    "(?:a|(b|c)d)(a)",
    r'"([^"\\]|\\["n])*"',
    "(a?){3}",
    "(a*)*b",
]
ALPHABET = 'abcdeéöÿà€😀"\\n. 1\n_'


def random_text(rng, pattern):
    """Return a text that may match: letters of the pattern and others."""
    letters = [c for c in pattern if c not in "{}()|*+?[]^"] + list(ALPHABET)
    return "".join(rng.choices(letters, k=rng.randint(0, 7)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_matches_equals_fullmatch_on_random_texts(pattern):
    regex, rng, found = parse_regex(pattern), random.Random(0), 0
    texts = ["", *ALPHABET, "abb", "aabb", "abab", "aab", "bda", '"a\\n"', "1.5", "12."]
    texts += [random_text(rng, pattern) for _ in range(500)]
    for text in texts:
        expected = re.fullmatch(pattern, text, re.ASCII) is not None
        assert matches(regex, text.encode()) == expected, text
        found += expected
    assert found


letters = st.sampled_from(["a", "b", "[ab]", "[^a]", "é"])
expressions = st.recursive(
    letters,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(expressions, st.lists(st.text("abcé", max_size=6), max_size=20))
@settings(max_examples=150)
def test_matches_equals_fullmatch_on_random_patterns(pattern, texts):
    regex = parse_regex(pattern)
    for text in texts:
        assert matches(regex, text.encode()) == bool(re.fullmatch(pattern, text))
    assert re.fullmatch(pattern, regex.shortest.decode())


def test_derivative_by_hand():
    ab_or_ac = parse_regex("ab|ac")
    assert derivative(ab_or_ac, ord("a")) is parse_regex("b|c")
    assert derivative(ab_or_ac, ord("b")) is NOTHING
    assert derivative(parse_regex("a*b"), ord("a")) is parse_regex("a*b")
    assert derivative(parse_regex("a*b"), ord("b")) is EMPTY
    assert derivative(EMPTY, ord("a")) is NOTHING


def test_negated_class_never_ends_inside_a_character():
    regex = parse_regex("[^a]")
    for text in ("é", "€", "😀", "\ud7ff", "\ue000", "\U0010ffff"):
        encoded = text.encode()
        assert matches(regex, encoded)
        for end in range(1, len(encoded)):
            partial = advance(regex, encoded[:end])
            assert partial is not NOTHING
            assert not partial.nullable
    # overlong forms, surrogates, and bytes that begin no character
    for wrong in (b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90", b"\x80"):
        assert advance(regex, wrong) is NOTHING


@pytest.mark.parametrize("pattern", ["a{0,2000}b", '"[^"]{0,1000}"', "(a|b){500}"])
def test_long_bounded_repeats_need_no_deep_recursion(pattern):
    regex = parse_regex(pattern)
    text = regex.shortest
    assert matches(regex, text)
    assert not matches(regex, text + b"c")


def test_shortest_is_the_first_of_the_shortest_texts():
    assert parse_regex("ccc|bb|ba|d{2}").shortest == b"ba"
    assert parse_regex('"[^"\\\\]{3,9}"').shortest == b'"\x00\x00\x00"'
    assert parse_regex("a*").shortest == b""
    assert NOTHING.shortest is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(a",
        "[b-a]",
        "a**",
        r"(a)\1",
        "a(?=b)",
        "^a",
        "a$",
        r"\bword",
        "(?i)a",
        "(?i:a)",
    ],
)
def test_parse_regex_refuses_what_is_not_regular(pattern):
    with pytest.raises(ValueError, match=r"not a regular|not supported"):
        parse_regex(pattern)
