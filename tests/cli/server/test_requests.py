import json

import pytest
import torch

from genai_tutorial.cli.server.requests import (
    ChatRequest,
    TextRequest,
    read_completion,
)
from genai_tutorial.cli.server.worker import ApiError
from tests.cli.server.tiny_models import models

MODELS = models()
USER = [{"role": "user", "content": "hello"}]


def chat(**fields):
    fields = {"model": "chat", "messages": USER} | fields
    return read_completion(ChatRequest, json.dumps(fields).encode(), MODELS)


def json_format(schema):
    form = {"name": "answer", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def text(**fields):
    fields = {"model": "letters", "prompt": "abc"} | fields
    return read_completion(TextRequest, json.dumps(fields).encode(), MODELS)


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"model": 3}, "model", "model: Input should be a valid string, got 3."),
        ({"model": None}, "model", "model: Field required."),
        ({"messages": None}, "messages", "Field required"),
        ({"messages": []}, "messages", "at least 1 item"),
        ({"messages": "hello"}, "messages", "valid list"),
        ({"messages": ["hello"]}, "messages", "messages.0: "),
        ({"messages": [{"role": "user"}]}, "messages", "messages.0.content: Field"),
        (
            {"messages": [{"role": "cat", "content": "m"}]},
            "messages",
            "messages.0.role: Input should be 'system'",
        ),
        (
            {"messages": [*USER, {"role": "assistant", "content": "hi"}]},
            "messages",
            "The last message must be the user's",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages",
            "texts only",
        ),
        ({"temperature": "hot"}, "temperature", 'valid number, got "hot".'),
        ({"temperature": True}, "temperature", "valid number, got true."),
        ({"temperature": 2.1}, "temperature", "less than or equal to 2, got 2.1"),
        ({"temperature": -1}, "temperature", "greater than or equal to 0, got -1"),
        ({"top_p": 1.5}, "top_p", "less than or equal to 1"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"max_tokens": 2.5}, "max_tokens", "valid integer, got 2.5"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens", "valid integer"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "not both"),
        ({"n": 0}, "n", "greater than or equal to 1"),
        ({"n": 17}, "n", "less than or equal to 16"),
        ({"seed": 2**63}, "seed", "less than"),
        ({"seed": "a" * 500}, "seed", "aaa...."),
        ({"stop": ""}, "stop", "at least 1 character"),
        ({"stop": ["a"] * 5}, "stop", "at most 4"),
        ({"stop": [3]}, "stop", "stop.0: Input should be a valid string"),
        ({"stream": "yes"}, "stream", "valid boolean"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "Set stream"),
        ({"stream": True, "stream_options": 1}, "stream_options", "got 1"),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "stream_options",
            "stream_options.include_usage: Input should be a valid boolean, got 1",
        ),
        ({"tools": [{"type": "function"}]}, "tools", "has no tools"),
        (
            {"response_format": {"type": "json_object"}},
            "response_format",
            "json_schema",
        ),
        ({"response_format": {"type": "json_schema"}}, "response_format", "Give json"),
        (json_format({"type": "text"}), "response_format", "type must be one of"),
        (
            json_format({"type": "string", "minLength": 40}) | {"max_tokens": 9},
            "response_format",
            "The shortest text that matches needs",
        ),
        ({"logprobs": True}, "logprobs", "has no logprobs"),
        ({"frequency_penalty": 2.5}, "frequency_penalty", "less than or equal to 2"),
        ({"repetition_penalty": 0.5}, "repetition_penalty", "greater than or equal"),
        ({"reasoning_effort": "high"}, "reasoning_effort", "has no reasoning_effort"),
        ({"verbosity": "low"}, "verbosity", "has no verbosity"),
        ({"temprature": 1}, "temprature", "There is no field 'temprature'"),
    ],
)
def test_chat_request_with_a_wrong_field_is_refused(fields, param, message):
    with pytest.raises(ApiError) as caught:
        chat(**fields)
    error = caught.value.to_dict()["error"]
    assert (caught.value.status, error["param"]) == (400, param)
    assert error["type"] == "invalid_request_error"
    assert message in error["message"]


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"prompt": None}, "prompt", "Field required"),
        ({"prompt": ""}, "prompt", "at least 1 character"),
        ({"prompt": []}, "prompt", "at least 1 item"),
        ({"prompt": [[]]}, "prompt", "prompt.0"),
        ({"prompt": [3, "a"]}, "prompt", "prompt.0"),
        ({"prompt": [999]}, "prompt", "Tokens must be from 0 to 29"),
        ({"prompt": [True]}, "prompt", "prompt.0"),
        ({"prompt": "A"}, "prompt", "not in the vocabulary"),
        ({"prompt": ["a"] * 17}, "prompt", "at most 16 items"),
        ({"prompt": ["a"] * 5, "n": 4}, "n", "at most 16 answers"),
        ({"suffix": "b"}, "suffix", "has no suffix"),
        ({"echo": True}, "echo", "has no echo"),
        ({"messages": USER}, "messages", "There is no field 'messages'"),
    ],
)
def test_text_request_with_a_wrong_field_is_refused(fields, param, message):
    with pytest.raises(ApiError) as caught:
        text(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"a"',
        b"\xff",
        b'{"n": NaN}',
        b"[" * 100_000,
        b'{"\\ud800": 1}',
    ],
)
def test_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(ApiError) as caught:
        read_completion(ChatRequest, body, MODELS)
    assert caught.value.status == 400
    assert "JSON" in str(caught.value)


def test_fields_that_ask_for_nothing_are_accepted():
    chat(
        user="me",
        metadata={"a": "b"},
        prompt_cache_retention="24h",
        reasoning_effort="none",
        verbosity="medium",
        tools=[],
        tool_choice="none",
        logprobs=False,
        presence_penalty=0,
        frequency_penalty=0.0,
        response_format={"type": "text"},
        seed=None,
        stop=None,
    )


def test_unknown_model_is_not_found():
    with pytest.raises(ApiError) as caught:
        chat(model="gpt")
    assert caught.value.status == 404
    assert caught.value.to_dict()["error"]["code"] == "model_not_found"
    assert "There are: chat, single, letters" in str(caught.value)


def test_model_without_a_chat_template_points_to_the_other_endpoint():
    with pytest.raises(ApiError, match="use /v1/completions") as caught:
        chat(model="letters")
    assert caught.value.param == "model"


def test_prompt_that_fills_the_window_is_refused():
    with pytest.raises(ApiError) as caught:
        text(prompt="a" * 64)
    assert (caught.value.param, caught.value.code) == (
        "prompt",
        "context_length_exceeded",
    )
    assert "at most 64 tokens at once, and the prompt has 64" in str(caught.value)
    with pytest.raises(ApiError) as caught:
        chat(messages=[{"role": "user", "content": "a" * 500}])
    assert caught.value.param == "messages"


def test_max_tokens_beyond_the_window_ends_there():
    """As elsewhere: the answer then has the finish reason "length"."""
    assert text(prompt="a" * 60, max_tokens=500).requests[0].options.max_new_tokens == 4
    window = MODELS["chat"].model.config.context_length
    assert chat(max_completion_tokens=10**9).requests[0].longest == window


def test_default_number_of_tokens_is_the_models_or_what_is_left():
    assert chat().requests[0].options.max_new_tokens == 12
    assert text().requests[0].options.max_new_tokens == 16
    assert text(prompt="a" * 60).requests[0].options.max_new_tokens == 4


def test_sampling_defaults_are_the_models():
    assert chat().requests[0].options.temperature == 0
    assert text().requests[0].options.temperature == 1
    assert text().requests[0].options.top_p is None
    assert 0 < text(top_p=0).requests[0].options.top_p < 1e-6


def test_seeds_of_several_answers_follow_each_other():
    seeds = [request.options.seed for request in text(n=3, seed=7).requests]
    assert seeds == [7, 8, 9]
    free = {text().requests[0].options.seed for _ in range(5)}
    assert len(free) == 5
    assert text(seed=-3).requests[0].options.seed == 2**63 - 3


def test_chat_keeps_the_turns_that_the_model_was_taught_to_read():
    turns = [*USER, {"role": "assistant", "content": "hi"}, *USER]
    whole, last = (chat(model=name, messages=turns) for name in ("chat", "single"))
    alone = chat(model="single")
    assert len(whole.requests[0].prompt) > len(last.requests[0].prompt)
    assert last.requests[0].prompt == alone.requests[0].prompt


def test_system_message_reaches_only_a_model_that_was_taught_to_heed_it():
    system = {"role": "developer", "content": "Be brief."}
    for name, changes in (("chat", True), ("single", False)):
        with_it, without = chat(model=name, messages=[system, *USER]), chat(model=name)
        assert (with_it.requests[0].prompt != without.requests[0].prompt) == changes


def test_penalties_lower_the_logits_of_tokens_in_the_answer():
    assert chat().requests[0].options.processor is None
    fields = {"frequency_penalty": 0.5, "presence_penalty": 1, "repetition_penalty": 2}
    for request in (chat(**fields), text(**fields)):
        processor = request.requests[0].options.processor
        logits = torch.tensor([4.0, 4.0, -4.0])
        assert processor(logits, []).tolist() == [4, 4, -4]
        assert processor(logits, [1, 2, 2]).tolist() == [4, 0.5, -10]


def test_content_in_parts_is_joined():
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    joined = chat(messages=[{"role": "user", "content": parts}])
    assert joined.requests[0].prompt == chat().requests[0].prompt


def test_special_tokens_in_a_text_are_ordinary_text():
    served = MODELS["chat"]
    ids = text(model="chat", prompt="<|im_end|>").requests[0].prompt
    assert served.tokenizer.special_tokens["<|im_end|>"] not in ids


def test_prompts_may_be_tokens():
    assert text(prompt=[2, 3]).requests[0].prompt == (2, 3)
    several = text(prompt=[[2, 3], [4]])
    assert [request.prompt for request in several.requests] == [(2, 3), (4,)]
