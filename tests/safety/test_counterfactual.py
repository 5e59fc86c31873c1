import pytest

from genai_tutorial.safety import (
    count_log_ratios,
    counterfactual_sentence,
    sentences_near,
)
from genai_tutorial.safety.association import SWAPS
from genai_tutorial.safety.provenance import counts_near


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Her idea surprised her.", "His idea surprised him."),
        ("He told her that it was hers.", "She told him that it was his."),
        ("His house is larger than his.", "Her house is larger than hers."),
        ("They saw her in Lima.", "They saw him in Lima."),
        ("They saw her old school.", "They saw his old school."),
        ("THE MEN", "THE WOMEN"),
        ("He himself", "She herself"),
        ("The theme of mankind", "The theme of mankind"),  # whole words only
    ],
)
def test_counterfactual_sentence_chooses_the_right_pronoun(text, expected):
    assert counterfactual_sentence(text) == expected


def test_counterfactual_sentence_twice_is_the_text_again():
    text = "The king loved his daughter; she gave him her crown, and the men saw her."
    assert counterfactual_sentence(text) != text
    assert counterfactual_sentence(counterfactual_sentence(text)) == text


def test_swaps_have_each_word_once():
    words = [word for pair in SWAPS for word in pair]
    assert len(words) == len(set(words))


def test_counts_near_stop_at_window_and_end_of_text():
    near = counts_near(["x a b c d e he f g", "y"], {"he"})
    assert near == dict.fromkeys("abcdefg", 1)


def test_count_log_ratios_change_sign_when_text_is_swapped():
    texts = ["he won the race", "he won the cup", "she won a prize"]
    before = count_log_ratios(texts, {"he"}, {"she"}, min_count=2)
    swapped = [counterfactual_sentence(text) for text in texts]
    after = count_log_ratios(swapped, {"he"}, {"she"}, min_count=2)
    assert before["won"] == pytest.approx(-after["won"])
    balanced = count_log_ratios([*texts, *swapped], {"he"}, {"she"}, min_count=2)
    assert set(balanced.values()) == {0.0}


def test_sentences_near_find_the_source():
    texts = ["The poem is old. She wrote the poem.", "He read it."]
    assert sentences_near(texts, "poem", {"she"}) == ["She wrote the poem."]
    assert sentences_near(texts, "wrote", {"he"}) == []
