"""Exams of four options, and scores of options against the log-probabilities."""

import pytest
import torch

from genai_tutorial.data import load_fact_split, load_facts
from genai_tutorial.tasks.assistant import choice_exam, score_options
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM


def test_choice_exam_has_one_correct_option_at_a_random_place():
    items = choice_exam(120, seed=3)
    facts = load_facts()
    known = {(fact.country, fact.relation): fact.answer for fact in facts}
    for item in items:
        question = item.question
        assert len(set(item.options)) == 4
        assert item.options[item.place] == question.answer
        assert known[question.country, question.relation] == question.answer
        possible = {f.answer for f in facts if f.relation == question.relation}
        assert set(item.options) <= possible
    places = [item.place for item in items]
    assert min(places.count(place) for place in range(4)) > 15
    held = {fact.country for fact in load_fact_split().withheld}
    assert not held & {item.question.country for item in items}


def test_choice_exam_repeats_with_its_seed_only():
    assert choice_exam(5, seed=0) == choice_exam(5, seed=0)
    assert choice_exam(5, seed=0) != choice_exam(5, seed=1)
    with pytest.raises(ValueError, match="1 to"):
        choice_exam(0, seed=0)


def test_lettered_question_and_begun_sentence():
    item = choice_exam(1, seed=0)[0]
    lines = item.lettered.splitlines()
    assert lines[0] == f"Question: {item.question.text}"
    assert lines[1 + item.place] == f"{'ABCD'[item.place]}. {item.question.answer}"
    assert lines[-1] == "Answer:"
    assert item.begun.endswith(" is")
    assert item.question.country.split()[-1] in item.begun


def test_option_scores_are_sums_and_their_normalizations():
    tokenizer = train_bpe(["the capital of Kenya is Nairobi and Peru has Lima"], 280)
    config = DecoderConfig.fast(tokenizer.vocab_size, 64, width=16, layers=1, heads=2)
    model = DecoderLM(config, 0).eval()
    options = ["Lima", "New Nairobi"]
    prompt, alone = tokenizer.encode("the capital is"), tokenizer.encode("is")
    scores = score_options(model, tokenizer, prompt, options, alone)

    def total(start, option):
        ids, tokens = start + tokenizer.encode(f" {option}"), len(start)
        with torch.no_grad():
            log_probs = model(torch.tensor([ids]))[0].log_softmax(-1)
        return sum(float(log_probs[n - 1, ids[n]]) for n in range(tokens, len(ids)))

    for place, option in enumerate(options):
        whole, tokens = total(prompt, option), len(tokenizer.encode(f" {option}"))
        expected = {
            "sum": whole,
            "per token": whole / tokens,
            "per character": whole / len(option),
            "minus unconditional": whole - total(alone, option),
        }
        for name, value in expected.items():
            assert float(scores[name][place]) == pytest.approx(value, abs=1e-4)
