"""Exam answers by likelihood against lm-evaluation-harness.

The library brings many others along, so its answers are stored in `ANSWERS`:
lm-eval 0.4.13 wrote them with `answers_of_lm_eval` below. Where the library is
installed (`pip install lm-eval==0.4.13`), a test runs it again.
"""

import json
import random

import pytest
import torch

from genai_tutorial.data import load_facts
from genai_tutorial.recipes import load
from genai_tutorial.tasks.assistant import score_options

ANSWERS = {
    "sum": "002003301222120300202120021213221331231120310101131031122030",
    "per character": "002003301222120300202120021213223331231120310101111031122030",
}


def capital_items(count=60):
    """Return questions for capitals with the correct one among four."""
    draw = random.Random(0)
    facts = [fact for fact in load_facts() if fact.relation == "capital"]
    items = []
    for fact in draw.sample(facts, count):
        wrong = [other.answer for other in facts if other.answer != fact.answer]
        options = [*draw.sample(wrong, 3), fact.answer]
        draw.shuffle(options)
        items.append(
            {
                "question": f"The capital of {fact.country} is",
                "choices": options,
                "answer": options.index(fact.answer),
            }
        )
    return items


def our_answers(items):
    """Return the option that each rule chooses, a digit for each item."""
    model, tokenizer = load("factbook-base")
    found = {"sum": "", "per character": ""}
    for item in items:
        prompt = tokenizer.encode(item["question"])
        scores = score_options(model, tokenizer, prompt, item["choices"], prompt)
        for rule in found:
            found[rule] += str(int(scores[rule].argmax()))
    return found


def answers_of_lm_eval(items, folder):
    """Return what the library's `acc` and `acc_norm` choose."""
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM

    model, tokenizer = load("factbook-base")

    class BookModel(LM):
        @torch.no_grad()
        def loglikelihood(self, requests, **_):
            results = []
            for request in requests:
                context, text = map(tokenizer.encode, request.args)
                read = model(torch.tensor([context + text]))[0, len(context) - 1 : -1]
                logs = read.log_softmax(dim=-1)
                greedy = logs.argmax(dim=-1).tolist() == text
                results.append((float(logs[range(len(text)), text].sum()), greedy))
            return results

        def loglikelihood_rolling(self, requests, **_):
            raise NotImplementedError

        def generate_until(self, requests, **_):
            raise NotImplementedError

    file = folder / "test.jsonl"
    file.write_text("\n".join(map(json.dumps, items)))
    task = {
        "task": "capitals",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "target_delimiter": " ",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    whole = simple_evaluate(
        model=BookModel(), tasks=[task], bootstrap_iters=0, log_samples=True
    )
    found = {"sum": "", "per character": ""}
    samples = sorted(whole["samples"]["capitals"], key=lambda one: one["doc_id"])
    for one, item in zip(samples, items, strict=True):
        logs = [float(response[0]) for response in one["filtered_resps"]]
        lengths = [len(option) for option in item["choices"]]
        choices = {
            "sum": max(range(4), key=lambda k: logs[k]),
            "per character": max(range(4), key=lambda k: logs[k] / lengths[k]),
        }
        for (rule, choice), metric in zip(
            choices.items(), ("acc", "acc_norm"), strict=True
        ):
            assert one[metric] == float(choice == item["answer"])
            found[rule] += str(choice)
    return found


@pytest.mark.slow
def test_answers_are_those_of_lm_eval():
    assert our_answers(capital_items()) == ANSWERS


def test_stored_answers_come_from_lm_eval(tmp_path, monkeypatch):
    pytest.importorskip("lm_eval", reason="needs lm-eval: pip install lm-eval==0.4.13")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert answers_of_lm_eval(capital_items(), tmp_path) == ANSWERS
