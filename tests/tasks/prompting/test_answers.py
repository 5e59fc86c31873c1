"""Asking a model, with a tiny random one; the chapter asks SmolLM2."""

import pytest
import torch

from genai_tutorial.tasks.prompting import (
    PAST_TENSE,
    SENTIMENT,
    answer_prompt,
    encode_prompt,
    score_labels,
)
from genai_tutorial.tasks.prompting.answers import FirstLine
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM


@pytest.fixture(scope="module")
def tokenizer():
    return train_bpe("low low", 260, special_tokens=["<|im_start|>", "<|im_end|>"])


@pytest.fixture(scope="module")
def model(tokenizer):
    config = DecoderConfig.llama(
        vocab_size=tokenizer.vocab_size,
        context_length=1024,
        width=16,
        layers=1,
        heads=2,
        key_value_heads=1,
    )
    return DecoderLM(config)


def test_answer_prompt_completion_ends_with_its_first_line(
    model, tokenizer, monkeypatch
):
    """The model is made to write "\\n ab\\ncd": the first break is before any text."""
    script = tokenizer.encode("\n ab\ncd")
    written = iter([])

    def logits(hidden):
        scores = torch.zeros(*hidden.shape[:2], tokenizer.vocab_size)
        scores[..., next(written)] = 1
        return scores

    monkeypatch.setattr(model, "logits", logits)
    for layout, expected in (("completion", "\n ab\n"), ("chat", "\n ab\ncd")):
        written = iter(script)
        (answer,) = answer_prompt(
            model, tokenizer, PAST_TENSE.prompt(1), ["eat"], layout, len(script)
        )
        assert answer == expected


def test_answer_prompt_ends_at_a_special_token(model, tokenizer, monkeypatch):
    end = tokenizer.special_tokens["<|im_end|>"]
    script = iter([*tokenizer.encode("went"), end])

    def logits(hidden):
        scores = torch.zeros(*hidden.shape[:2], tokenizer.vocab_size)
        scores[..., next(script)] = 1
        return scores

    monkeypatch.setattr(model, "logits", logits)
    found = answer_prompt(model, tokenizer, PAST_TENSE.prompt(0), ["go"], "chat")
    assert found == ["went"]


def test_answer_prompt_answers_in_the_order_of_the_questions(model, tokenizer):
    questions = ["a long question first", "b", "another one"]
    prompt = PAST_TENSE.prompt(2)
    together = answer_prompt(model, tokenizer, prompt, questions)
    alone = [answer_prompt(model, tokenizer, prompt, [q])[0] for q in questions]
    assert together == alone
    assert len(set(together)) > 1


def test_score_labels_are_log_probabilities_after_a_space(model, tokenizer):
    prompt = SENTIMENT.prompt(1)
    found = score_labels(model, tokenizer, prompt, ["Good.", "Bad!"], SENTIMENT.labels)
    assert found.shape == (2, 2)
    text = encode_prompt(tokenizer, prompt, "Bad!")
    label = tokenizer.encode(" negative")
    with torch.no_grad():
        log_probs = model(torch.tensor([[*text, *label]]))[0].log_softmax(dim=-1)
    expected = log_probs[len(text) - 1 : -1][range(len(label)), label].sum()
    assert float(found[1, 1]) == pytest.approx(float(expected), abs=1e-4)


def test_first_line_stops_after_text_only(tokenizer):
    stop = FirstLine(tokenizer)
    encode = tokenizer.encode
    assert not stop(encode("\n\n"))
    assert not stop(encode("\n went"))
    assert stop(encode("\n went\n"))
