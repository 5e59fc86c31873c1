import pytest

from genai_tutorial.tasks.shapes import parse_caption
from genai_tutorial.tasks.speech import (
    DIGITS,
    SPEECH_WORDS,
    draw_sentences,
    draw_voices,
    is_caption,
)
from genai_tutorial.tasks.speech.sentences import is_held_out
from genai_tutorial.tasks.speech.voices import HELD_OUT_SPEAKERS, SPEAKERS


def test_sentences_are_captions_and_digits_of_the_vocabulary():
    sentences = draw_sentences(300, seed=1)
    assert {word for text in sentences for word in text.split()} == set(SPEECH_WORDS)
    captions = [text for text in sentences if is_caption(text)]
    assert 0.7 < len(captions) / 300 < 0.9
    for text in captions:
        parse_caption(text)
    digits = [text.split() for text in sentences if not is_caption(text)]
    assert all(2 <= len(words) <= 6 and set(words) <= set(DIGITS) for words in digits)


@pytest.mark.slow
def test_no_sentence_is_in_both_splits():
    train, test = (set(draw_sentences(400, seed=2, held_out=h)) for h in (False, True))
    assert not train & test
    assert all(map(is_held_out, test))
    assert not any(map(is_held_out, train))


def test_longer_draws_begin_with_shorter_ones():
    assert draw_sentences(100, seed=3)[:30] == draw_sentences(30, seed=3)
    assert draw_voices(100, seed=3)[:30] == draw_voices(30, seed=3)
    assert draw_sentences(30, seed=3) != draw_sentences(30, seed=4)


def test_speakers_of_tests_are_never_heard_in_training():
    train, test = (
        {voice.variant for voice in draw_voices(600, seed=0, held_out=held_out)}
        for held_out in (False, True)
    )
    assert test == set(HELD_OUT_SPEAKERS)
    assert train == set(SPEAKERS) - test


def test_all_speakers_exist():
    pytest.importorskip("espeakng_loader")
    from genai_tutorial.data import speakers

    assert set(SPEAKERS) <= set(speakers())
    assert len(set(SPEAKERS)) == len(SPEAKERS) == 65


@pytest.mark.parametrize("draw", [draw_sentences, draw_voices])
def test_at_least_one_is_drawn(draw):
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        draw(0, seed=0)
