import json

import pytest

from genai_tutorial.cli.server.body import Body
from genai_tutorial.cli.server.completions import read_chat, read_text
from genai_tutorial.cli.server.errors import ApiError
from tests.cli.server.tiny_models import models

MODELS = models()
USER = [{"role": "user", "content": "hello"}]


def chat(**fields):
    fields = {"model": "chat", "messages": USER} | fields
    return read_chat(json.dumps(fields).encode(), MODELS)


def text(**fields):
    fields = {"model": "letters", "prompt": "abc"} | fields
    return read_text(json.dumps(fields).encode(), MODELS)


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"model": 3}, "model", "model must be a text, got 3"),
        ({"model": None}, "model", "model must be a text, got null"),
        ({"messages": None}, "messages", "a list of at least one message"),
        ({"messages": []}, "messages", "a list of at least one message"),
        ({"messages": "hello"}, "messages", "a list of at least one message"),
        ({"messages": ["hello"]}, "messages", "an object with a role"),
        ({"messages": [{"role": "user"}]}, "messages", "must be a text"),
        ({"messages": [{"role": "cat", "content": "m"}]}, "messages", "role must be"),
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
        (
            {"messages": [{"role": "user", "content": "\ud800"}]},
            "messages",
            "surrogate",
        ),
        ({"temperature": "hot"}, "temperature", 'must be a number, got "hot"'),
        ({"temperature": True}, "temperature", "must be a number, got true"),
        ({"temperature": 2.1}, "temperature", "must be from 0 to 2, got 2.1"),
        ({"temperature": -1}, "temperature", "must be from 0 to 2, got -1"),
        ({"top_p": 1.5}, "top_p", "must be from 0 to 1"),
        ({"max_tokens": 0}, "max_tokens", "must be from 1 to"),
        ({"max_tokens": 2.5}, "max_tokens", "must be a whole number, got 2.5"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens", "whole number"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "not both"),
        ({"n": 0}, "n", "must be from 1 to 16"),
        ({"n": 17}, "n", "must be from 1 to 16"),
        ({"seed": 2**63}, "seed", "must be from"),
        ({"stop": ""}, "stop", "a text or up to 4, none empty"),
        ({"stop": ["a"] * 5}, "stop", "a text or up to 4"),
        ({"stop": [3]}, "stop", "a text or up to 4"),
        ({"stream": "yes"}, "stream", "must be true or false"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "Set stream"),
        ({"stream": True, "stream_options": 1}, "stream_options", "include_usage"),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "include_usage",
            "must be true or false",
        ),
        ({"tools": [{"type": "function"}]}, "tools", "has no tools"),
        ({"response_format": {"type": "json_object"}}, "response_format", "has no"),
        ({"logprobs": True}, "logprobs", "has no logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty", "has no frequency"),
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
        ({"prompt": None}, "prompt", "a text or a list of texts"),
        ({"prompt": ""}, "prompt", "at least one character"),
        ({"prompt": []}, "prompt", "a text or a list of texts"),
        ({"prompt": [[]]}, "prompt", "at least one character"),
        ({"prompt": [3, "a"]}, "prompt", "at least one character"),
        ({"prompt": [999]}, "prompt", "Tokens must be from 0 to 29"),
        ({"prompt": [True]}, "prompt", "at least one character"),
        ({"prompt": "A"}, "prompt", "not in the vocabulary"),
        ({"prompt": ["a"] * 17}, "prompt", "At most 16 prompts"),
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
    "body", [b"", b"{", b"[1]", b'"a"', b"\xff", b'{"n": NaN}', b"[" * 100_000]
)
def test_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(ApiError) as caught:
        read_chat(body, MODELS)
    assert caught.value.status == 400
    assert "JSON" in str(caught.value)


def test_fields_that_ask_for_nothing_are_accepted():
    chat(
        user="me",
        metadata={"a": "b"},
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


def test_too_long_request_names_the_window():
    with pytest.raises(ApiError) as caught:
        text(prompt="a" * 64)
    assert (caught.value.param, caught.value.code) == (
        "prompt",
        "context_length_exceeded",
    )
    assert "at most 64 tokens at once: the prompt has 64" in str(caught.value)
    with pytest.raises(ApiError) as caught:
        chat(max_tokens=500)
    assert caught.value.param == "max_tokens"
    with pytest.raises(ApiError) as caught:
        chat(messages=[{"role": "user", "content": "a" * 500}])
    assert caught.value.param == "messages"


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


def test_chat_refuses_a_system_message_that_the_model_would_not_heed():
    system = {"role": "developer", "content": "Be brief."}
    assert chat(messages=[system, *USER])
    with pytest.raises(ApiError, match="not taught to listen to the system"):
        chat(model="single", messages=[system, *USER])


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


def test_long_values_are_shortened_in_messages():
    body = Body({"seed": "a" * 500}, ["seed"])
    with pytest.raises(ApiError, match=r"a\.\.\.") as caught:
        body.whole("seed", 0, 1, None)
    assert len(str(caught.value)) < 120
