import pytest
import torch

from genai_tutorial.efficiency import Answer, Request, SamplingOptions


def scores(best, vocab=5):
    logits = torch.zeros(vocab)
    logits[best] = 9.0
    return logits


def answer_of(on_token=None, **options):
    return Answer(Request((2, 3), SamplingOptions(**options)), on_token)


def test_answer_ends_before_an_end_token():
    answer = answer_of(end_tokens=frozenset({1}))
    for token in (4, 3, 1):
        assert not answer.is_finished
        answer.draw(scores(token))
    assert answer.ids == [4, 3]
    assert answer.text == [2, 3, 4, 3]
    assert answer.finish_reason == "stop"


def test_answer_ends_behind_the_tokens_of_a_text_to_stop_at():
    answer = answer_of(stop=lambda ids: ids[-2:] == [4, 3])
    for token in (3, 4, 3):
        answer.draw(scores(token))
    assert answer.ids == [3, 4, 3]
    assert answer.finish_reason == "stop"


def test_answer_ends_at_its_maximum_length():
    answer = answer_of(max_new_tokens=2)
    answer.draw(scores(4))
    answer.draw(scores(3))
    assert answer.finish_reason == "length"


def test_answer_draws_from_its_own_generator():
    logits = torch.zeros(5)
    first, second = (answer_of(temperature=1.0, seed=7) for _ in range(2))
    other = answer_of(temperature=1.0, seed=8)
    for _ in range(20):
        first.draw(logits)
    for _ in range(20):
        torch.rand(1)  # nobody else's draws matter
        second.draw(logits)
        other.draw(logits)
    assert first.ids == second.ids
    assert first.ids != other.ids


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_answer_ends_with_an_error_if_no_token_can_be_drawn(temperature):
    answer = answer_of(temperature=temperature)
    answer.draw(torch.tensor([0.0, torch.nan]))
    assert answer.finish_reason == "error"
    assert "NaN" in answer.error
    assert answer.ids == []


def test_answer_ends_with_an_error_if_its_callback_raises():
    def refuse(token):
        raise ConnectionError(f"nobody takes {token}")

    answer = answer_of(on_token=refuse)
    answer.draw(scores(4))
    assert answer.finish_reason == "error"
    assert answer.error == "ConnectionError: nobody takes 4"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
        ({"temperature": -1.0}, "temperature must be 0"),
        ({"temperature": float("nan")}, "temperature must be 0"),
        ({"top_p": 0.0}, "top_p must be above 0"),
    ],
)
def test_sampling_options_refuse_numbers_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        SamplingOptions(**options)


def test_request_refuses_an_empty_prompt():
    with pytest.raises(ValueError, match="at least one token, got none"):
        Request(())
