"""Scores of tasks equal those of single passes, and caches share what is equal."""

import re

import pytest
import torch

from benchmarks.long_context import streamed_losses
from genai_tutorial.data import Country, Fact, load_factbook, load_facts
from genai_tutorial.tasks.long_context import (
    LongTask,
    history_exam,
    score_tasks,
    single_needle,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, SinkCache
from tests.tasks.long_context.test_needles import HAY, PROSE, TOKENIZER


@pytest.fixture(scope="module")
def model():
    config = DecoderConfig.llama(
        TOKENIZER.vocab_size, 512, 32, layers=2, heads=2, key_value_heads=1,
        feed_forward_width=32,
    )  # fmt: skip
    model = DecoderLM(config, seed=0)
    with torch.no_grad():  # far from uniform
        model.token_embedding.weight.mul_(40)
        model.head.weight.mul_(40)
        for token in range(TOKENIZER.vocab_size):  # no halves of letters
            if TOKENIZER.encode(TOKENIZER.decode([token])) != [token]:
                model.head.weight[token] = 0
    return model.eval()


def task_with(prompt, *answers):
    return LongTask("test", prompt, answers, (), 0.0)


def greedy(model, prompt, count):
    ids = TOKENIZER.encode(prompt)
    start = len(ids)
    for _ in range(count):
        ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return ids[start:]


def test_log_probability_equals_that_of_a_single_pass(model):
    prompt, answer = "Anna walked along the river", " for 4821 hours"
    [score] = score_tasks(model, TOKENIZER, [task_with(prompt, answer)])
    ids, tail = TOKENIZER.encode(prompt), TOKENIZER.encode(answer)
    logits = model(torch.tensor([ids + tail]))[0].log_softmax(dim=-1)
    places = torch.arange(len(ids) - 1, len(ids) + len(tail) - 1)
    expected = logits[places, torch.tensor(tail)].sum().item()
    assert score.log_probability == pytest.approx(expected, abs=1e-3)
    assert score.found == 0
    assert score.tokens == score.tokens_read == len(ids)


def test_likeliest_continuation_is_found(model):
    """For prompts whose continuation is also what the tokenizer makes of its text."""
    judged = 0
    for prompt in PROSE.split(". ")[:24]:
        drawn = greedy(model, prompt, 1)
        answer = TOKENIZER.decode(drawn)
        if TOKENIZER.encode(answer) != drawn:
            continue
        judged += 1
        right, wrong = score_tasks(
            model,
            TOKENIZER,
            [task_with(prompt, answer), task_with(prompt, f"{answer} and on")],
        )
        assert (right.found, right.written, wrong.found) == (1, answer, 0)
    assert judged >= 3


def test_share_of_several_answers(model):
    prompt = "Bela walked along"
    written = TOKENIZER.decode(greedy(model, prompt, 2))
    [score] = score_tasks(
        model, TOKENIZER, [task_with(prompt, written, " nowhere at all")]
    )
    assert score.found == 0.5
    assert score.written.startswith(written)


def test_tasks_with_the_same_beginning_are_read_once(model):
    deep, shallow = (single_needle(HAY, 400, depth) for depth in (0.9, 0.1))
    together = score_tasks(model, TOKENIZER, [deep, shallow, deep])
    alone = [score_tasks(model, TOKENIZER, [one])[0] for one in (deep, shallow, deep)]
    for one, other in zip(together, alone, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
        assert other.tokens_read == other.tokens
    assert together[1].tokens_read > together[1].tokens * 0.8
    control = score_tasks(model, TOKENIZER, [deep.without_needles(), deep])[1]
    assert control.tokens_read < control.tokens * 0.25
    assert score_tasks(model, TOKENIZER, []) == []


def test_scores_with_a_sink_cache_equal_a_plain_cache_if_all_fits(model):
    task = single_needle(HAY, 200, 0.5)
    cache = SinkCache(model.config, sinks=4, window=250)
    [kept] = score_tasks(model, TOKENIZER, [task], cache)
    [whole] = score_tasks(model, TOKENIZER, [task])
    assert kept.log_probability == pytest.approx(whole.log_probability, abs=1e-3)
    [again] = score_tasks(model, TOKENIZER, [task], cache)
    assert again.log_probability == pytest.approx(whole.log_probability, abs=1e-3)
    assert again.tokens_read == again.tokens, "a used cache begins again"


def test_stream_losses_equal_those_of_a_single_pass(model):
    ids = torch.tensor([TOKENIZER.encode(PROSE)[:60]])
    logits = model(ids)[0, :-1]
    expected = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
    for cache in (model.make_cache(), SinkCache(model.config, 1, 4, 60)):
        losses = streamed_losses(model, ids, cache)
        torch.testing.assert_close(losses, expected, atol=1e-3, rtol=1e-3)


def country(name, text):
    entries = {"Introduction > Background": text}
    return Country(name[:2], name, "africa", True, entries)


COUNTRIES = [
    country("Kenya", "Britain ruled it. It became independent in 1963."),
    country("Ghana", "It became independent in 1957."),
    country("Togo", "Germany ruled it."),
]
FACTS = [
    Fact("Kenya", "independence", "1963"),
    Fact("Ghana", "independence", "1957"),
    Fact("Togo", "independence", "1960"),
    Fact("Togo", "ruler", "Germany"),
]


def test_history_exam_asks_only_for_years_that_are_in_the_text():
    exam = history_exam(COUNTRIES, FACTS, histories=2, questions=2)
    assert set(exam.countries) == {"Kenya", "Ghana"}
    for question, place in zip(exam.questions, exam.right, strict=True):
        assert exam.countries[place] == question.country
        assert exam.histories[place].startswith(f"{question.country}: ")
        assert question.answer in exam.histories[place]
    with pytest.raises(ValueError, match="histories at most 2; got questions=1"):
        history_exam(COUNTRIES, FACTS, histories=3, questions=1)
    with pytest.raises(ValueError, match="got questions=2 and histories=1"):
        history_exam(COUNTRIES, FACTS, histories=1, questions=2)


def test_history_exam_of_the_factbook():
    exams = [
        history_exam(load_factbook(), load_facts(), seed=seed) for seed in (0, 0, 1)
    ]
    assert exams[0] == exams[1] != exams[2]
    for exam in exams[1:]:
        assert len(set(exam.countries)) == 8
        assert len({question.text for question in exam.questions}) == 4
        for question, place in zip(exam.questions, exam.right, strict=True):
            years = set(re.findall(r"\b1\d{3}\b", exam.histories[place]))
            assert question.answer in years
