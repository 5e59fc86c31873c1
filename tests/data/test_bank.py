"""The bank sentences: enough of each sense, distinguishable only by their topic."""

from collections import Counter

import numpy as np

from genai_tutorial.data import load_bank_sentences

SENTENCES = load_bank_sentences()
WORDS = {
    sense: [s.text.split() for s in SENTENCES if s.sense == sense]
    for sense in ("river", "money")
}


def test_bank_has_24_distinct_sentences_per_sense():
    assert {sense: len(sentences) for sense, sentences in WORDS.items()} == {
        "river": 24,
        "money": 24,
    }
    assert len({s.text.lower() for s in SENTENCES}) == 48


def test_bank_word_occurs_once_at_end():
    for text in (sentence.text for sentence in SENTENCES):
        assert text.endswith(" bank"), text
        assert text.count("bank") == 1, text
        assert text[0].isupper(), text
        assert text.isascii(), text
        assert text == " ".join(text.split())


def test_bank_preceding_two_words_do_not_reveal_sense():
    before = {
        sense: Counter(tuple(words[-3:-1]) for words in sentences)
        for sense, sentences in WORDS.items()
    }
    assert before["river"] == before["money"]
    assert len(before["river"]) >= 12
    assert max(before["river"].values()) <= 3


def test_bank_position_does_not_reveal_sense():
    # A rank test would find a difference in length that a model could use as a cue.
    lengths = {
        sense: np.array([len(words) for words in sentences])
        for sense, sentences in WORDS.items()
    }
    difference = np.sign(lengths["river"][:, None] - lengths["money"][None, :]).mean()
    assert abs(difference) < 0.15
    for sense in lengths:
        assert np.ptp(lengths[sense]) >= 10


def test_bank_sentences_share_no_template():
    for sentences in WORDS.values():
        assert len({tuple(words[:2]) for words in sentences}) == 24
        assert len({tuple(words[-4:]) for words in sentences}) >= 22
    shared = {w[0] for w in WORDS["river"]} & {w[0] for w in WORDS["money"]}
    assert len(shared) >= 6
