import pytest
import torch

from genai_tutorial.audio import Lexicon
from genai_tutorial.data import Phoneme, Segment, Utterance, Voice


def utterance(words: dict[str, str]) -> Utterance:
    """Return an utterance without a sound."""
    return Utterance(
        " ".join(words),
        Voice(),
        torch.zeros(1),
        tuple(Segment(word, 0.0, 1.0) for word in words),
        tuple(
            Phoneme(label, 0.0, 1.0, place)
            for place, labels in enumerate(words.values())
            for label in labels.split()
        ),
    )


def test_lexicon_takes_the_most_frequent_pronunciation():
    lexicon = Lexicon.from_utterances(
        [utterance({"a": "ɐ"}), utterance({"a": "eɪ"}), utterance({"a": "ɐ"})]
    )
    assert lexicon.pronunciations == {"a": ("ɐ",)}


def test_pairs_of_words_go_before_single_words():
    lexicon = Lexicon({"of": ("v",), "of a": ("ə", "v", "ə"), "red": ("r",)})
    assert lexicon.phonemes("of a red") == ["_", "ə", "v", "ə", "r", "_"]
    assert lexicon.phonemes("of red of") == ["_", "v", "r", "v", "_"]


def test_symbols_are_all_phonemes_after_the_pause():
    assert Lexicon({"b": ("z", "b"), "a": ("b",)}).symbols == ("_", "b", "z")


@pytest.mark.parametrize(
    ("text", "message"), [("a cat", "'cat' has no pronunciation"), (" ", "no words")]
)
def test_unknown_words_and_empty_texts_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Lexicon({"a": ("ɐ",)}).phonemes(text)


def test_lexicon_needs_utterances():
    with pytest.raises(ValueError, match="needs utterances"):
        Lexicon.from_utterances([])
