"""The server, asked by OpenAI's own client over the loopback interface."""

import base64
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import numpy as np
import openai
import pytest
import torch
from openai import OpenAI

from genai_tutorial.cli.server.app import MAX_BODY
from genai_tutorial.cli.server.worker import TextStream
from genai_tutorial.pretrained import load_minilm
from genai_tutorial.tokenization import Message
from tests.cli.server.tiny_models import (
    expected_bytes,
    models,
    running,
    wait_until,
)

USER = {"role": "user", "content": "hello"}


@pytest.fixture(scope="module")
def served():
    return models()


@pytest.fixture(scope="module")
def server(served):
    with running(served) as (server, address):
        yield server, address


@pytest.fixture(scope="module")
def client(server):
    with OpenAI(base_url=f"{server[1]}/v1", api_key="unused", max_retries=0) as client:
        yield client


class Http:
    """Sends plain HTTP requests, and returns the responses of the standard library with
    their bodies in `text`.
    """

    def __init__(self, port):
        self.port = port

    def send(self, method, path, body=None, headers=()):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, dict(headers))
        with closing(connection), connection.getresponse() as reply:
            reply.text = reply.read().decode()
        return reply


@pytest.fixture
def http(server):
    return Http(int(server[1].rpartition(":")[2]))


def expected_chat(served, content, new=12, **options):
    prompt = served.encode_chat([Message("user", content)])
    ids, text = expected_bytes(served, prompt, new, **options)
    return prompt, ids, text.lstrip(" ")


def test_server_lists_its_models(client):
    names = ["chat", "single", "letters", "minilm"]
    assert [model.id for model in client.models.list()] == names
    assert client.models.retrieve("letters").object == "model"
    with pytest.raises(openai.NotFoundError, match="no model 'gpt'"):
        client.models.retrieve("gpt")


def test_chat_answer_equals_that_of_the_model_alone(client, served):
    reply = client.chat.completions.create(model="chat", messages=[USER])
    prompt, ids, text = expected_chat(served["chat"], "hello")
    assert reply.choices[0].message.content == text
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].finish_reason == "length"
    assert (reply.model, reply.object) == ("chat", "chat.completion")
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (len(prompt), len(ids))
    assert usage.total_tokens == len(prompt) + len(ids)


def test_chat_answer_is_valid_json_under_the_schema(client):
    """The random model writes any bytes, so all structure is the constraint's; the
    answer is complete although the limit is short.
    """
    word = {"type": "string", "maxLength": 5}
    schema = {"type": "object", "properties": {"a": word, "b": {"enum": [1, 2]}}}
    schema |= {"required": ["a", "b"], "additionalProperties": False}
    form = {"name": "x", "schema": schema, "strict": True}
    for seed in range(3):
        reply = client.chat.completions.create(
            model="chat",
            messages=[USER],
            response_format={"type": "json_schema", "json_schema": form},
            temperature=1,
            seed=seed,
            max_tokens=30,
        )
        answer = json.loads(reply.choices[0].message.content)
        assert answer.keys() == {"a", "b"}
        assert answer["b"] in (1, 2)


def test_answer_at_the_end_of_the_context_has_the_reason_length(client):
    reply = client.completions.create(model="letters", prompt="a" * 60, max_tokens=50)
    choice = reply.choices[0]
    assert (choice.finish_reason, reply.usage.completion_tokens) == ("length", 4)


@pytest.mark.slow
def test_embeddings_are_those_of_minilm(client):
    texts = ["the capital of Kenya", "a recipe for rice"]
    for form in ("float", "base64"):
        reply = client.embeddings.create(
            model="minilm", input=texts, encoding_format=form
        )
        vectors = [entry.embedding for entry in reply.data]
        if form == "base64":
            raw = map(base64.b64decode, vectors)
            vectors = [np.frombuffer(one, "<f4").tolist() for one in raw]
        expected = load_minilm().encode(texts)
        torch.testing.assert_close(torch.tensor(vectors), expected)
    assert reply.usage.prompt_tokens == 12
    assert len(client.embeddings.create(model="minilm", input="one").data) == 1
    with pytest.raises(openai.NotFoundError, match="'chat' makes no embeddings"):
        client.embeddings.create(model="chat", input="one")


def test_chat_answer_ends_at_an_end_token(client, served, monkeypatch):
    model = served["chat"]
    _, ids, _ = expected_chat(model, "hello")
    tokens = model.tokenizer.special_tokens
    monkeypatch.setitem(tokens, "<|endoftext|>", ids[5])
    reply = client.chat.completions.create(model="chat", messages=[USER])
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.completion_tokens == ids.index(ids[5])


def test_streamed_chat_answer_equals_the_whole_one(client):
    arguments = {"model": "chat", "messages": [USER], "max_tokens": 20}
    whole = client.chat.completions.create(**arguments)
    chunks = list(
        client.chat.completions.create(
            **arguments, stream=True, stream_options={"include_usage": True}
        )
    )
    first, *middle, closing, counts = chunks
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == (
        "assistant",
        "",
    )
    pieces = [chunk.choices[0].delta.content for chunk in middle]
    assert "".join(pieces) == whole.choices[0].message.content
    assert len(pieces) > 3
    assert closing.choices[0].finish_reason == "length"
    assert (counts.choices, counts.usage) == ([], whole.usage)
    assert all("usage" in chunk.model_fields_set for chunk in chunks)
    assert {chunk.usage for chunk in chunks[:-1]} == {None}
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}


def test_streamed_text_equals_the_whole_one(client, served):
    arguments = {"model": "letters", "prompt": "ab", "max_tokens": 30, "seed": 3}
    ids, text = expected_bytes(
        served["letters"], served["letters"].encode("ab"), 30, temperature=1, seed=3
    )
    chunks = list(client.completions.create(**arguments, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == text
    assert chunks[-1].choices[0].finish_reason == "length"
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    whole = client.completions.create(**arguments)
    assert whole.choices[0].text == text
    assert whole.usage.completion_tokens == len(ids)


def test_stream_is_made_of_server_sent_events(http):
    body = {"model": "letters", "prompt": "ab", "max_tokens": 3, "stream": True}
    reply = http.send("POST", "/v1/completions", json.dumps(body))
    assert reply.headers["content-type"].startswith("text/event-stream")
    *events, done, rest = reply.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    for event in events:
        assert event.startswith("data: {")
        json.loads(event.removeprefix("data: "))


@pytest.mark.slow
def test_concurrent_requests_get_the_answers_that_they_get_alone(client, served):
    """Of several models, streamed or not, greedy or sampled."""

    def ask(number):
        arguments = {
            "seed": number,
            "temperature": [0, 0.9][number % 2],
            "max_tokens": 5 + number,
            "stream": number % 3 == 0,
        }
        if number % 4 == 3:
            reply = client.completions.create(
                model="letters", prompt="abc", **arguments
            )
        else:
            content = f"question {number % 5}"
            reply = client.chat.completions.create(
                model=["chat", "single"][number % 3 % 2],
                messages=[{"role": "user", "content": content}],
                **arguments,
            )
        if not arguments["stream"]:
            choice = reply.choices[0]
            return choice.text if number % 4 == 3 else choice.message.content
        choices = [chunk.choices[0] for chunk in reply]
        if number % 4 == 3:
            return "".join(choice.text for choice in choices)
        return "".join(choice.delta.content or "" for choice in choices)

    def alone(number):
        options = {"temperature": [0, 0.9][number % 2], "seed": number}
        if number % 4 == 3:
            model = served["letters"]
            return expected_bytes(model, model.encode("abc"), 5 + number, **options)[1]
        model = served[["chat", "single"][number % 3 % 2]]
        return expected_chat(model, f"question {number % 5}", 5 + number, **options)[2]

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(24)))
    assert answers == [alone(number) for number in range(24)]


@pytest.mark.slow
def test_same_seed_gives_the_same_answers(client):
    def ask(**options):
        reply = client.completions.create(
            model="letters", prompt="ab", max_tokens=20, temperature=1.5, **options
        )
        return [choice.text for choice in reply.choices]

    assert ask(seed=5) == ask(seed=5)
    assert ask(seed=5, n=3) == [*ask(seed=5), *ask(seed=6), *ask(seed=7)]
    assert ask() != ask()


def test_several_prompts_get_an_answer_each(client, served):
    model = served["letters"]
    reply = client.completions.create(
        model="letters", prompt=["ab", "xyz"], max_tokens=9, temperature=0, n=2
    )
    texts = [choice.text for choice in reply.choices]
    one, two = (expected_bytes(model, model.encode(p), 9)[1] for p in ("ab", "xyz"))
    assert texts == [one, one, two, two]
    assert reply.usage.prompt_tokens == 2 + 3
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3]


@pytest.mark.slow
def test_stop_text_ends_an_answer_before_it(client, served):
    """A stop of three characters is spread over as many tokens."""
    model = served["letters"]
    ids, text = expected_bytes(model, model.encode("ab"), 40, temperature=1, seed=2)
    stop = text[10:13]
    arguments = {"model": "letters", "prompt": "ab", "max_tokens": 40, "seed": 2}
    for options in ({"stop": stop}, {"stop": [stop, "not there"]}):
        reply = client.completions.create(**arguments, **options)
        assert reply.choices[0].text == text[: text.find(stop)]
        assert reply.choices[0].finish_reason == "stop"
        assert reply.usage.completion_tokens == text.find(stop) + 3 < len(ids)
        chunks = list(client.completions.create(**arguments, **options, stream=True))
        pieces = [chunk.choices[0].text for chunk in chunks]
        assert "".join(pieces) == text[: text.find(stop)]
        assert chunks[-1].choices[0].finish_reason == "stop"


def test_characters_of_several_tokens_are_streamed_whole(client, served):
    """The chat model writes bytes, most of them parts of no character."""
    reply = client.chat.completions.create(
        model="chat",
        messages=[{"role": "user", "content": "é🙂"}],
        max_tokens=40,
        temperature=2,
        seed=1,
        stream=True,
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in reply)
    expected = expected_chat(served["chat"], "é🙂", 40, temperature=2, seed=1)[2]
    assert text == expected


@pytest.mark.parametrize(
    ("arguments", "error", "param"),
    [
        ({"model": "gpt"}, openai.NotFoundError, "model"),
        ({"temperature": "hot"}, openai.BadRequestError, "temperature"),
        ({"max_tokens": 0}, openai.BadRequestError, "max_tokens"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"n": 99}, openai.BadRequestError, "n"),
        ({"extra_body": {"temprature": 1}}, openai.BadRequestError, "temprature"),
        ({"stop": ["a"] * 9, "stream": True}, openai.BadRequestError, "stop"),
    ],
)
def test_client_raises_its_own_error_for_a_wrong_request(
    client, arguments, error, param
):
    arguments = {"model": "chat", "messages": [USER]} | arguments
    with pytest.raises(error) as caught:
        client.chat.completions.create(**arguments)
    assert caught.value.param == param
    assert caught.value.body["message"]


def test_unknown_addresses_and_methods_get_error_objects(http):
    for reply, status in (
        (http.send("GET", "/v1/nothing"), 404),
        (http.send("GET", "/v1/completions"), 405),
        (http.send("POST", "/v1/completions", b"{"), 400),
        (http.send("POST", "/v1/completions", b"a" * (MAX_BODY + 1)), 413),
    ):
        assert reply.status == status
        assert set(json.loads(reply.text)["error"]) == {
            "message",
            "type",
            "param",
            "code",
        }


def test_server_refuses_a_host_that_is_not_this_machine(http):
    reply = http.send("GET", "/v1/models", headers={"Host": "attacker.example"}.items())
    assert reply.status == 400


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://attacker.example", 403),
        ("http://localhost.attacker.example", 403),
        ("null", 403),
        ("http://[", 403),
        ("http://localhost:3000", 200),
        ("http://127.0.0.1", 200),
    ],
)
def test_server_refuses_pages_of_other_sites(http, origin, status):
    """A browser sends what they ask for, and keeps only the answer from them."""
    body = b'{"model": "letters", "prompt": "abc", "max_tokens": 1}'
    headers = {"Origin": origin, "Content-Type": "text/plain"}.items()
    assert http.send("POST", "/v1/completions", body, headers).status == status


def test_fault_of_the_server_shows_the_client_nothing_of_its_inside(
    http, served, monkeypatch
):
    def fail(*_):
        raise RuntimeError("a secret path")

    monkeypatch.setattr(type(served["letters"]), "encode", fail)
    reply = http.send("POST", "/v1/completions", b'{"model": "letters", "prompt": "a"}')
    assert reply.status == 500
    assert json.loads(reply.text)["error"]["message"] == (
        "The server failed; its output says why."
    )
    assert "secret" not in reply.text


def test_server_listens_on_the_loopback_interface_only(server):
    hosts = {
        listener.getsockname()[0] for s in server[0].servers for listener in s.sockets
    }
    assert hosts == {"127.0.0.1"}


def test_health_says_whether_the_engines_run(http):
    reply = http.send("GET", "/health")
    assert reply.status == 200
    assert json.loads(reply.text) == {
        "status": "ok",
        "models": ["chat", "single", "letters"],
        "open_answers": 0,
    }


@pytest.mark.parametrize("streams", [True, False])
def test_answer_is_cancelled_when_its_client_leaves(server, streams, monkeypatch):
    worker = server[0].worker
    engine = worker.engines["chat"]
    finished = []
    cancel = engine.cancel
    monkeypatch.setattr(
        engine, "cancel", lambda answer: finished.append(answer) or cancel(answer)
    )
    port = int(server[1].rpartition(":")[2])
    body = json.dumps(
        {"model": "chat", "messages": [USER], "max_tokens": 60, "stream": streams}
    )
    slow_down(engine, monkeypatch)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: "
            + f"{len(body)}\r\n\r\n{body}".encode()
        )
        wait_until(lambda: worker.open_jobs == 1)
        if streams:
            assert connection.recv(12) == b"HTTP/1.1 200"
    wait_until(lambda: worker.open_jobs == 0)
    assert [answer.finish_reason for answer in finished] == ["cancelled"]
    assert len(finished[0].ids) < 60
    assert engine.is_idle


def test_client_that_leaves_within_its_body_leaves_no_traceback(http, caplog):
    with socket.create_connection(("127.0.0.1", http.port)) as connection:
        connection.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
    for _ in range(20):  # later requests are answered after it
        assert http.send("GET", "/health").status == 200
    assert caplog.records == []


def slow_down(engine, monkeypatch):
    """Let each pass take a while, as with a large model."""
    step = engine.step
    monkeypatch.setattr(engine, "step", lambda: time.sleep(0.02) or step())


@pytest.mark.slow
def test_full_queue_answers_429(served):
    with running({"chat": served["chat"]}, max_waiting=1) as (server, address):
        engine = server.worker.engines["chat"]
        step, held = engine.step, threading.Event()
        engine.step = lambda: held.wait(20) and step()
        with (
            OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            full = pool.submit(
                client.chat.completions.create, model="chat", messages=[USER], n=16
            )
            wait_until(lambda: server.worker.open_jobs == 16)
            with pytest.raises(
                openai.RateLimitError, match="Try again later"
            ) as caught:
                client.chat.completions.create(model="chat", messages=[USER], n=2)
            assert caught.value.code == "queue_full"
            held.set()
            assert len(full.result().choices) == 16
            wait_until(lambda: server.worker.open_jobs == 0)
            assert client.chat.completions.create(model="chat", messages=[USER])


def test_engine_that_fails_answers_500_and_is_replaced(served, capsys):
    with running({"chat": served["chat"]}) as (server, address):
        broken = server.worker.engines["chat"]

        def fail():
            raise RuntimeError("a fault of the scheduler")

        with OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
            broken.step = lambda: [] if broken.is_idle else fail()
            with pytest.raises(openai.InternalServerError, match="could not be"):
                client.chat.completions.create(model="chat", messages=[USER])
            chunks = client.chat.completions.create(
                model="chat", messages=[USER], stream=True
            )
            assert list(chunks)[-1].choices[0].finish_reason == "length"
    assert "a fault of the scheduler" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_engine_that_cannot_be_replaced_stops_the_worker(served, capsys):
    """Clients get errors, at once and later, instead of waiting forever."""
    with running({"chat": served["chat"]}) as (server, address):
        worker, broken = server.worker, server.worker.engines["chat"]
        broken.step = lambda: [] if broken.is_idle else 1 / 0
        worker.make_engines = {"chat": lambda: 1 / 0}
        with OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
            with pytest.raises(openai.InternalServerError, match="could not be"):
                client.chat.completions.create(model="chat", messages=[USER])
            worker.thread.join(20)
            with pytest.raises(openai.InternalServerError, match="about to stop"):
                client.chat.completions.create(model="chat", messages=[USER])
        assert (
            Http(int(address.rpartition(":")[2])).send("GET", "/health").status == 503
        )
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_request_that_fails_does_not_stop_the_others(client, served, monkeypatch):
    """The callback of one raises, as if its client were no more."""
    push = TextStream.push
    monkeypatch.setattr(
        TextStream,
        "push",
        lambda self, token: 1 / 0 if self.stops else push(self, token),
    )

    def ask(number):
        stops = ["x"] * (number % 2)
        return client.chat.completions.create(model="chat", messages=[USER], stop=stops)

    with ThreadPoolExecutor(4) as pool:
        replies = [pool.submit(ask, number) for number in range(4)]
    for number, reply in enumerate(replies):
        if number % 2:
            assert isinstance(reply.exception(), openai.InternalServerError)
        else:
            content = reply.result().choices[0].message.content
            assert content == expected_chat(served["chat"], "hello")[2]


def test_answers_end_when_the_server_stops(served):
    with running({"chat": served["chat"]}) as (server, address):
        engine = server.worker.engines["chat"]
        step = engine.step
        engine.step = lambda: time.sleep(0.02) or step()
        with OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
            chunks = client.chat.completions.create(
                model="chat", messages=[USER], max_tokens=60, stream=True
            )
            next(iter(chunks))
            server.should_exit = True
            with pytest.raises(openai.APIError, match="about to stop"):
                list(chunks)
    assert not server.worker.thread.is_alive()
