import pytest

from genai_tutorial.efficiency import (
    Request,
    SamplingOptions,
    answer_alone,
    answer_in_static_batches,
)
from tests.alignment.models import CONFIGS, LLAMA, model_of
from tests.efficiency.batching.requests import alone, request_of

REQUESTS = [
    request_of(rest=(12, 3, 4), new=9),
    request_of(shared=5, new=2, temperature=1.0, seed=3),
    request_of(rest=(7,), new=6, temperature=1.5, top_p=0.8, seed=1),
    request_of(shared=8, rest=(9, 9), new=14, temperature=2.0, seed=2),
    request_of(rest=(4, 4, 4, 4), new=1),
]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_static_batches_answer_each_request_as_if_alone(config, batch_size):
    model = model_of(config)
    answers, _ = answer_in_static_batches(model, REQUESTS, batch_size)
    assert [answer.ids for answer in answers] == [alone(model, r) for r in REQUESTS]


def test_static_batches_count_the_rows_that_wait_for_the_longest():
    requests = [Request((2,) * n, SamplingOptions(n)) for n in (2, 5, 3)]
    _, counts = answer_in_static_batches(model_of(LLAMA), requests, 2)
    assert (counts.prefill_passes, counts.decode_passes) == (2, 4 + 2)
    assert (counts.row_steps, counts.wasted_row_steps) == (2 * 5 + 3, 3)
    assert counts.tokens_drawn == 2 + 5 + 3
    assert counts.tokens_read == 2 + 5 + 3 + 1 + 4 + 2
    assert counts.positions == 2 * 5 + 4 * 2 + 3 + 2
    # two rows of 5 + 5 slots for five passes, one of 3 + 3 for three
    assert counts.slots_reserved == 5 * 20 + 3 * 6
    used = [2 + 5, 3 + 6, 3 + 7, 3 + 8, 3 + 9, 3, 4, 5]
    assert counts.slots_used == sum(used)


def test_static_batches_refuse_what_does_not_fit():
    model = model_of(LLAMA)
    with pytest.raises(ValueError, match="at most 24 tokens at once"):
        answer_alone(model, Request((2,) * 20, SamplingOptions(5)))
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        answer_in_static_batches(model, REQUESTS, 0)
