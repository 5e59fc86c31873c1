import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import (
    Answer,
    Engine,
    Request,
    SamplingOptions,
    quantized,
)
from genai_tutorial.transformer import DecoderConfig
from tests.alignment.models import CONFIGS, LLAMA, model_of
from tests.efficiency.batching.requests import (
    BEGINNING,
    alone,
    logits_after,
    request_of,
)

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def mixed_requests(count, seed=0):
    random = torch.Generator().manual_seed(seed)

    def number(high):
        return int(torch.randint(high, (), generator=random))

    return [
        request_of(
            shared=number(9),
            rest=[2 + number(11) for _ in range(1 + number(5))],
            new=1 + number(10),
            temperature=[0.0, 0.7, 1.5][number(3)],
            top_p=[None, 0.8][number(2)],
            seed=number(99),
        )
        for _ in range(count)
    ]


REQUEST_SETTINGS = st.fixed_dictionaries(
    {
        "shared": st.integers(0, 8),
        "rest": st.lists(st.integers(2, 12), min_size=1, max_size=5),
        "new": st.integers(1, 11),
        "temperature": st.sampled_from([0.0, 0.8, 2.0]),
        "top_p": st.sampled_from([None, 0.7]),
        "seed": st.integers(0, 5),
    }
)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    name=st.sampled_from(sorted(CONFIGS)),
    # a request, the step in which it arrives, and that in which it is cancelled
    arrivals=st.lists(
        st.tuples(
            REQUEST_SETTINGS,
            st.integers(0, 12),
            st.one_of(st.none(), st.integers(0, 15)),
        ),
        min_size=1,
        max_size=9,
    ),
    block_size=st.integers(1, 5),
    spare=st.integers(0, 12),
    max_running=st.integers(1, 6),
    share=st.booleans(),
)
def test_engine_answers_do_not_depend_on_what_runs_beside_them(
    name, arrivals, block_size, spare, max_running, share
):
    """Whatever arrives when, is preempted, shared or cancelled: each answer equals that
    to the request alone, its logits do to 1e-5, all blocks are free in the end, and the
    model was called once per pass.
    """
    model, reads = model_of(CONFIGS[name]), []
    read = model.read
    model.read = lambda ids, context: reads.append(ids.shape) or read(ids, context)
    blocks = 24 // block_size + 2 + spare
    engine = Engine(
        model,
        blocks=blocks,
        block_size=block_size,
        max_running=max_running,
        share_prefixes=share,
    )
    draw, drawn = Answer.draw, []

    def remember(answer, logits):
        drawn.append((answer.text, logits.clone()))
        draw(answer, logits)

    requests = [request_of(**settings) for settings, _, _ in arrivals]
    answers = [None] * len(arrivals)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Answer, "draw", remember)
        for step in range(400):
            for number, (_, arrival, cancelled) in enumerate(arrivals):
                if arrival == step:
                    answers[number] = engine.add(requests[number])
                if cancelled is not None and cancelled == step and answers[number]:
                    engine.cancel(answers[number])
            engine.step()
            if step > 15 and engine.is_idle:
                break
    assert engine.is_idle
    assert len(reads) == engine.statistics.passes
    assert sum(map(math.prod, reads)) == engine.statistics.positions
    for (_, _, cancelled), answer in zip(arrivals, answers, strict=True):
        expected = alone(model, answer.request)
        if answer.finish_reason == "cancelled":
            assert cancelled is not None
            assert answer.ids == expected[: len(answer.ids)]
        else:
            assert answer.ids == expected
    for text, logits in drawn[::7]:
        whole = logits_after(model, text)
        torch.testing.assert_close(logits, whole, atol=1e-5, rtol=1e-5)
    held = 0 if engine.prefixes is None else len(engine.prefixes)
    assert engine.pool.allocator.free == blocks - held


def test_engine_reads_a_shared_beginning_once():
    """Twenty questions of 17 tokens after the same 221."""
    model = model_of(DecoderConfig.llama(40, 300, 16, 1, 4, 2, 24))
    beginning = [2 + n * n % 37 for n in range(221)]
    requests = [
        Request((*beginning, 10 + n, *[5] * 16), SamplingOptions(1)) for n in range(20)
    ]
    answers, read = {}, {}
    for share in (False, True):
        engine = Engine(model, share_prefixes=share)
        for request in requests:
            engine.add(request)
        answers[share] = [answer.ids for answer in engine.run()]
        read[share] = engine.statistics.tokens_read
    assert read == {False: 20 * (221 + 17), True: 221 + 20 * 17}
    assert engine.statistics.prefix_tokens == 19 * 221
    assert answers[True] == answers[False] == [alone(model, r) for r in requests]


def test_engine_lets_requests_join_and_leave_between_passes():
    model = model_of(LLAMA)
    engine = Engine(model)
    long = engine.add(request_of(rest=(12, 3), new=9, seed=1))
    engine.step()
    short = engine.add(request_of(rest=(11, 4, 2), new=2))
    finished = []
    while not engine.is_idle:
        finished += [a for a in engine.step() if a.is_finished]
    assert finished == [short, long]
    assert long.ids == alone(model, long.request)
    assert short.ids == alone(model, short.request)


def test_engine_streams_tokens_as_they_are_drawn():
    model = model_of(LLAMA)
    engine, told = Engine(model), []
    answer = engine.add(request_of(rest=(12,), new=6), told.append)
    while not engine.is_idle:
        engine.step()
        assert told == answer.ids
    assert told == alone(model, answer.request)


def test_engine_cancels_waiting_and_running_requests():
    engine = Engine(model_of(LLAMA), max_running=1, share_prefixes=False)
    running, waiting, last = (engine.add(request_of(new=9)) for _ in range(3))
    engine.step()
    engine.cancel(waiting)
    engine.cancel(running)
    engine.cancel(running)
    assert engine.pool.allocator.free == engine.pool.allocator.total
    assert running.finish_reason == waiting.finish_reason == "cancelled"
    assert len(running.ids) == 1
    assert waiting.ids == []
    engine.run()
    assert last.finish_reason in ("length", "stop")


def test_engine_can_be_told_to_cancel_by_a_callback():
    model = model_of(LLAMA)
    engine = Engine(model)
    answers = []
    answers.append(
        engine.add(request_of(rest=(12,), new=9), lambda _: engine.cancel(answers[1]))
    )
    answers.append(engine.add(request_of(rest=(11, 3), new=9)))
    own = engine.add(request_of(rest=(9,), new=9), lambda _: engine.cancel(own))
    engine.run()
    assert [a.finish_reason for a in answers[1:]] == ["cancelled"]
    assert (answers[1].ids, len(own.ids)) == ([], 1)
    assert answers[0].ids == alone(model, answers[0].request)


def test_engine_lets_no_request_stop_the_others():
    """One gives NaN, one has a callback that raises, one a stop that raises, and one a
    token at which the model itself fails.
    """
    model = model_of(LLAMA)
    others = [request_of(rest=(12, 3), new=7), request_of(shared=4, new=7, seed=1)]
    expected = [alone(model, request) for request in others]
    with torch.no_grad():
        model.token_embedding.weight[0] = torch.nan
    read = model.read

    def fail_at_eleven(ids, context):
        if (ids == 11).any():
            raise RuntimeError("eleven")
        return read(ids, context)

    model.read = fail_at_eleven
    engine = Engine(model)

    def refuse(_):
        raise ConnectionError("gone")

    not_a_number = engine.add(request_of(rest=(0, 3)))
    gone = engine.add(request_of(rest=(5, 5)), refuse)
    stop = SamplingOptions(9, stop=lambda ids: ids[99])
    wrong_stop = engine.add(Request((6, 6), stop))
    failing = engine.add(request_of(rest=(11, 3)))
    answers = [engine.add(request) for request in others]
    engine.run()
    assert [answer.ids for answer in answers] == expected
    errors = [a.error for a in (not_a_number, gone, wrong_stop, failing)]
    assert ["NaN" in errors[0], *errors[1:]] == [
        True,
        "ConnectionError: gone",
        "IndexError: list index out of range",
        "RuntimeError: eleven",
    ]


@pytest.mark.parametrize("name", ["Llama", "fast, with n-grams"])
def test_engine_keeps_logits_that_are_not_numbers_from_the_others(name):
    """Also if all are joined to one row, where zero times NaN is NaN."""
    model = model_of(CONFIGS[name])
    others = [request_of(rest=(12, 3), new=7), request_of(shared=4, new=7, seed=1)]
    expected = [alone(model, request) for request in others]
    with torch.no_grad():
        model.token_embedding.weight[11] = torch.nan
    engine = Engine(model)
    answers = [engine.add(others[0]), engine.add(others[1])]
    engine.step()
    bad = engine.add(request_of(rest=(11, 3)))
    engine.run()
    assert bad.finish_reason == "error"
    assert "NaN" in bad.error
    assert [answer.ids for answer in answers] == expected


def test_engine_counts_what_its_passes_cost():
    model = model_of(LLAMA)
    engine = Engine(model, block_size=4, share_prefixes=False)
    requests = [request_of(rest=(12,) * n, new=n) for n in (3, 5)]
    requests = [
        Request(r.prompt, SamplingOptions(r.options.max_new_tokens)) for r in requests
    ]
    for request in requests:
        engine.add(request)
    engine.run()
    counts = engine.statistics
    assert (counts.prefill_passes, counts.decode_passes) == (1, 4)
    assert (counts.row_steps, counts.wasted_row_steps) == (2 + 2 + 2 + 1 + 1, 0)
    assert counts.tokens_drawn == 3 + 5
    assert counts.tokens_read == 3 + 5 + 2 + 4  # the last ones are not read
    assert counts.positions == counts.tokens_read  # joined to one row
    # after the prompts 3 and 5 tokens in 1 and 2 blocks, and so on
    used = [3 + 5, 4 + 6, 5 + 7, 8, 9]
    reserved = [3 * 4, 3 * 4, 4 * 4, 2 * 4, 3 * 4]
    assert (counts.slots_used, counts.slots_reserved) == (sum(used), sum(reserved))
    assert counts.most_slots_reserved == 16
    assert counts.waste == 1 - sum(used) / sum(reserved)


def test_engine_counts_a_shared_block_once():
    engine = Engine(model_of(LLAMA), block_size=4)
    first = engine.add(request_of(shared=8, rest=(12,), new=4))
    engine.step()
    counts = engine.statistics
    assert (counts.slots_reserved, counts.slots_used) == (12, 9)
    engine.add(request_of(shared=8, rest=(11, 11), new=4))
    engine.step()
    assert first.finish_reason is None
    assert (counts.slots_reserved, counts.slots_used) == (12 + 16, 9 + 8 + 2 + 2)


def test_engine_answers_with_a_quantized_model():
    model = quantized(model_of(LLAMA), "float32")
    engine = Engine(model)
    requests = mixed_requests(6)
    for request in requests:
        engine.add(request)
    assert [a.ids for a in engine.run()] == [alone(model, r) for r in requests]


@pytest.mark.parametrize(
    ("prompt", "new", "message"),
    [
        ((2, 13), 3, "Tokens must be from 0 to 12, got values from 2 to 13"),
        ((2, -1), 3, "Tokens must be from 0 to 12"),
        (BEGINNING * 3, 1, "at most 24 tokens at once; the prompt has 24"),
        ((2,), 24, "the answer may have 24"),
    ],
)
def test_engine_refuses_a_request_that_does_not_fit(prompt, new, message):
    engine = Engine(model_of(LLAMA))
    with pytest.raises(ValueError, match=message):
        engine.add(Request(prompt, SamplingOptions(new)))
    assert engine.is_idle


@pytest.mark.parametrize("name", ["blocks", "block_size", "max_running"])
def test_engine_refuses_numbers_below_one(name):
    with pytest.raises(ValueError, match="must be at least 1"):
        Engine(model_of(LLAMA), **{name: 0})


def test_engine_step_does_nothing_when_idle():
    engine = Engine(model_of(LLAMA))
    assert engine.step() == []
    assert engine.run() == []
    assert engine.statistics.passes == 0
    assert engine.statistics.waste == 0
