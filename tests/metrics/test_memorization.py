"""The suffix array finds what a search in the corpus finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.metrics import CopiedRun, SuffixArray

texts = st.text("ab\n", min_size=1, max_size=30)
CORPUS = "the cat sat on the mat\nthe cat ran"


@given(texts)
def test_suffixes_are_sorted(corpus):
    order = SuffixArray(corpus).order.tolist()
    assert sorted(order) == list(range(len(corpus)))
    suffixes = [corpus[place:] for place in order]
    assert suffixes == sorted(suffixes)


@given(texts, st.text("ab\n", min_size=1, max_size=4))
def test_count_includes_overlaps(corpus, text):
    expected = sum(corpus.startswith(text, place) for place in range(len(corpus)))
    assert SuffixArray(corpus).count(text) == expected


@given(texts, texts)
def test_longest_run_equals_trying_all(corpus, text):
    stretches = [
        (start, text[start:end])
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if text[start:end] in corpus
    ]
    run = SuffixArray(corpus).longest_run(text)
    longest = max((len(stretch) for _, stretch in stretches), default=0)
    assert len(run) == longest
    if longest:
        assert corpus[run.place : run.place + longest] == run.text
        firsts = [start for start, stretch in stretches if len(stretch) == longest]
        assert (run.start, text[run.start : run.start + longest]) == (
            min(firsts),
            run.text,
        )


def test_longest_run_of_a_recited_line():
    run = SuffixArray(CORPUS).longest_run("I saw: the cat sat down")
    assert run == CopiedRun("the cat sat ", 7, 0)
    assert SuffixArray(CORPUS).longest_run("XYZ") == CopiedRun("", 0, 0)


def test_copied_share_counts_long_stretches_only():
    array = SuffixArray(CORPUS)
    text = "the cat sat XXXX the"
    assert array.copied_share(text, length=12) == pytest.approx(12 / 20)
    assert array.copied_share(text, length=4) == pytest.approx(16 / 20)
    assert array.copied_share(text, length=13) == 0
    assert array.copied_share(CORPUS, len(CORPUS)) == 1


def test_other_alphabets_are_characters_like_any():
    array = SuffixArray("für Élise, für 🎵")
    assert array.count("für") == 2
    assert array.longest_run("a 🎵").text == " 🎵"


def test_suffix_array_rejects_empty_texts():
    with pytest.raises(ValueError, match="at least one character"):
        SuffixArray("")
    with pytest.raises(ValueError, match="occurs everywhere"):
        SuffixArray("a").count("")
    with pytest.raises(ValueError, match="from 1 to that of the text, 2, got 3"):
        SuffixArray("a").copied_share("ab", 3)
