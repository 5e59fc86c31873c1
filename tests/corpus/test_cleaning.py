"""Cleaning documents before tokenization: normalization, quality rules,
decontamination.
"""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.corpus import (
    Decontaminator,
    QualityRules,
    filter_documents,
    held_out_grams,
    normalize,
    reason_to_reject,
    seen_share,
    word_grams,
)

PROSE = (
    "The ship left the harbour at dawn and sailed along the coast for nine days. On "
    "the tenth day a storm came up from the west, with rain so heavy that nobody on "
    "deck could see the land. The captain kept her steady until the evening, when the "
    "wind fell and the clouds broke, and the crew saw that they had come to an island "
    "that no chart had shown."
)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("e\u0301te\u0301", "été"),
        ("one\u00a0two\u2003three\tfour", "one two three four"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("soft\u00adhyphen\ufeff\u200b", "softhyphen"),
        ("  indented  \n\n\n\n  apart ", "indented\n\napart"),
        # without the joiners these are different words
        ("می\u200cخواهم 👩\u200d🚀", "می\u200cخواهم 👩\u200d🚀"),
        # the accent follows its letter only once the hyphen is removed
        ("a\u00ad\u0301", "á"),
    ],
)
def test_normalize_examples(typed, written):
    assert normalize(typed) == written


@settings(max_examples=300)
@given(
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.text("aé\u0301 \u00a0\t\r\n\u2028\u00ad\u200b\x85")
)
def test_normalize_is_idempotent(text):
    once = normalize(text)
    assert normalize(once) == once
    assert unicodedata.is_normalized("NFC", once)
    # no other space is left
    assert "".join(once.split()) == once.replace(" ", "").replace("\n", "")


def test_quality_rules_keep_prose():
    assert reason_to_reject(PROSE) is None


BAD = {
    "too few words": "Click here to read the rest of the story.",
    "too many words": f"{PROSE} " * 2000,
    "words of a strange length": "a b c d e of the " * 20,
    "too many symbols": PROSE.replace(" the ", " ##the "),
    "nearly all lines are items of a list": "\n".join(
        f"- {clause}" for clause in PROSE.split(", ")
    ),
    "too many lines break off": PROSE.replace(" and", "...\n"),
    "too few words with letters": "1234 of the 5678 91011 121314 " * 20,
    "no English sentences": (
        "Das Schiff verliess den Hafen am Morgen und segelte neun Tage an der Küste "
        "entlang "
    )
    * 5,
    "repeated lines": f"{PROSE}\n" * 3,
    "one pair of words again and again": "with that buying cheap "
    + "buying cheap watches to " * 30,
}


@pytest.mark.parametrize("reason", BAD)
def test_quality_rules_each_reject_one_document(reason):
    pair = {"most_frequent_pair": 1}
    generous = {
        "too few words": {"fewest_words": 1},
        "too many words": {"most_words": 10**9, "most_repeated_lines": 1} | pair,
        "words of a strange length": {"shortest_mean_word": 0} | pair,
        "too many symbols": {"most_symbols": 1},
        "nearly all lines are items of a list": {"most_bullets": 1},
        "too many lines break off": {"most_ellipses": 1},
        "too few words with letters": {"least_alphabetic": 0} | pair,
        "no English sentences": {"fewest_stop_words": 0},
        "repeated lines": {"most_repeated_lines": 1},
        "one pair of words again and again": pair,
    }
    assert reason_to_reject(BAD[reason]) == reason
    assert reason_to_reject(BAD[reason], QualityRules(**generous[reason])) is None


def test_filter_documents_keeps_or_counts_each():
    texts = [*BAD.values(), PROSE, BAD["repeated lines"]]
    filtered = filter_documents(texts)
    assert filtered.kept == (len(BAD),)
    assert filtered.rejected == dict.fromkeys(BAD, 1) | {"repeated lines": 2}
    assert len(filtered.kept) + sum(filtered.rejected.values()) == len(texts)


def test_decontaminator_cuts_a_measured_leak():
    leaked = (
        "the wind fell and the clouds broke, and the crew saw that they had come to an "
        "island"
    )
    held_out = f"We read: {leaked} of glass and salt, where nobody had ever lived."
    before, after = "Before it. " * 40, "After it. " * 40
    document = f"{before}{leaked.upper().replace(',', ' --')} {after}"
    guard = Decontaminator(held_out_grams([held_out]))
    pieces = guard.clean(document)
    assert 0.1 < seen_share(held_out, [document]) < 0.9
    assert seen_share(held_out, pieces) == 0
    assert pieces == [
        document[: len(before) - 200],
        document[len(document) - len(after) - 1 + 200 :],
    ]


def test_decontaminator_leaves_clean_documents_unchanged():
    guard = Decontaminator(held_out_grams(["Quite another text " * 10]))
    assert guard.clean(PROSE) == [PROSE]
    assert seen_share(PROSE, ["Quite another text " * 10]) == 0


def test_decontaminator_drops_short_pieces_and_fragmented_documents():
    grams = held_out_grams(["to be or not to be"], length=6)
    guard = Decontaminator(grams, length=6, margin=0, shortest=20, most_pieces=3)
    assert guard.clean(f"To be, or not to be: {PROSE}") == [f": {PROSE}"]
    assert guard.clean(f"{PROSE[:18]} to be or not to be") == []
    assert len(guard.clean(f"{PROSE} to be or not to be " * 2 + PROSE)) == 3
    assert guard.clean(f"{PROSE} to be or not to be " * 3 + PROSE) == []


@given(
    st.lists(st.sampled_from("abcd"), max_size=60), st.integers(1, 5), st.integers(0, 3)
)
@settings(max_examples=200)
def test_decontaminator_leaves_no_held_out_gram(letters, length, margin):
    text = " ".join(letters)
    grams = held_out_grams(["a b a c a b d"], length)
    pieces = Decontaminator(grams, length, margin, shortest=0, most_pieces=10**6).clean(
        text
    )
    assert not any(word_grams(piece, length) & grams for piece in pieces)


def test_word_gram_lengths_are_validated():
    with pytest.raises(ValueError, match="length must be at least 1 word, got 0"):
        word_grams(PROSE, 0)
    with pytest.raises(ValueError, match=r"must have 13 words \(length\), got 'to be'"):
        Decontaminator(held_out_grams(["to be"], 2))
