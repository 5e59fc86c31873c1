import math

import pytest
import torch

from genai_tutorial.interpretability import WordVectors
from genai_tutorial.safety import (
    association_test,
    associations,
    count_log_ratios,
    counterfactual_sentence,
    known_vectors,
    pronoun_log_odds,
    sentences_near,
)
from genai_tutorial.safety.association import SWAPS
from genai_tutorial.safety.provenance import counts_near
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM

HE, SHE = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])


def at_angles(*degrees: float) -> torch.Tensor:
    radians = torch.tensor(degrees).deg2rad()
    return torch.stack((radians.cos(), radians.sin()), dim=1)


def test_association_test_equals_hand_calculation():
    """Targets at 0, 30, 60 and 90 degrees are associated by cos - sin."""
    first, second = at_angles(0, 30), at_angles(60, 90)
    s = [math.cos(math.radians(x)) - math.sin(math.radians(x)) for x in (0, 30, 60, 90)]
    mean = sum(s) / 4
    spread = math.sqrt(sum((x - mean) ** 2 for x in s) / 3)
    difference = (s[0] + s[1]) / 2 - (s[2] + s[3]) / 2
    test = association_test(first, second, HE, SHE)
    assert test.difference == pytest.approx(difference, abs=1e-6)
    assert test.effect == pytest.approx(difference / spread, abs=1e-6)
    # Of the six splits, only the observed one has a difference as large.
    assert (test.splits, test.exact) == (6, True)
    assert test.p_value == pytest.approx(1 / 6)


def test_associations_ignore_lengths():
    targets = at_angles(10, 70)
    long = associations(targets * 7, HE * 3, SHE * 0.1)
    torch.testing.assert_close(long, associations(targets, HE, SHE))


def test_association_test_sampled_p_value_is_near_exact_one_and_never_zero(
    monkeypatch,
):
    first, second = at_angles(0, 5, 30, 50, 20), at_angles(40, 60, 85, 90, 10)
    exact = association_test(first, second, HE, SHE)
    monkeypatch.setattr("genai_tutorial.safety.association._MOST_SPLITS", 200)
    sampled = association_test(first, second, HE, SHE)
    assert [exact.exact, sampled.exact] == [True, False]
    assert sampled.splits == 200
    assert sampled.effect == exact.effect
    assert sampled.p_value == pytest.approx(exact.p_value, abs=0.06)
    extreme = association_test(
        at_angles(*range(10)), at_angles(*range(80, 90)), HE, SHE
    )
    assert extreme.p_value >= 1 / 201


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (at_angles(0), at_angles(1, 2), "at least two words, got 1 and 2"),
        (at_angles(5, 5), at_angles(5, 5), "same association"),
    ],
)
def test_association_test_rejects_bad_arguments(first, second, message):
    with pytest.raises(ValueError, match=message):
        association_test(first, second, HE, SHE)


def test_known_vectors_skip_words_without_vector():
    vectors = WordVectors(("he", "she"), torch.eye(2))
    found = known_vectors(vectors, ["xyz", "she"])
    assert torch.equal(found, torch.tensor([[0.0, 1.0]]))
    with pytest.raises(ValueError, match="xyz has a vector"):
        known_vectors(vectors, ["xyz"])


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


TOKENIZER = train_bpe(
    ["The nurse said that he was late and she was the baker."] * 2, 320
)


@pytest.fixture(scope="module")
def model():
    model = DecoderLM(DecoderConfig(TOKENIZER.vocab_size, width=16, layers=1), seed=0)
    with torch.no_grad():
        model.token_embedding.weight.mul_(20)
    return model.eval()


def test_pronoun_log_odds_are_the_difference_of_log_probabilities(model):
    odds = pronoun_log_odds(model, TOKENIZER, ["nurse", "baker"])
    assert odds.shape == (2, 3)
    he, she = (TOKENIZER.encode(f" {word}") for word in ("he", "she"))
    assert len(he) == len(she) == 1
    prompt = TOKENIZER.encode("The baker said that")
    logits = model(torch.tensor([prompt]))[0, -1]
    torch.testing.assert_close(odds[1, 0], logits[he[0]] - logits[she[0]])
    with pytest.raises(ValueError, match="one token; he and she are"):
        pronoun_log_odds(model, train_bpe(["a"] * 2, 258), ["nurse"])
    with pytest.raises(ValueError, match="at least one noun"):
        pronoun_log_odds(model, TOKENIZER, [])
