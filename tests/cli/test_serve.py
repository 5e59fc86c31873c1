"""The `serve` command: its mistakes, Ctrl-C, and the book's own models behind it."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from openai import OpenAI

from genai_tutorial import recipes
from genai_tutorial.cli.app import ServedName
from genai_tutorial.cli.chat import CHAT_PROFILES
from genai_tutorial.cli.server import app
from genai_tutorial.cli.server.app import available_models, load_all
from genai_tutorial.cli.server.worker import ServedModel
from genai_tutorial.efficiency import Request, SamplingOptions, answer_alone
from genai_tutorial.recipes.sampling import TextOptions
from genai_tutorial.tasks.assistant import MAX_ANSWER_TOKENS
from genai_tutorial.tokenization import Message
from tests.cli.server.tiny_models import running

ROOT = Path(__file__).resolve().parents[2]


def test_serve_says_that_the_port_is_taken(error_line):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = error_line(1, "serve", "--model", "shakespeare", "--port", str(port))
    assert f"Port {port} cannot be used" in line
    assert "--port" in line


@pytest.mark.parametrize("package", ["pydantic", "starlette", "uvicorn"])
def test_serve_names_the_extra_that_is_missing(error_line, monkeypatch, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == package else find(name, *rest),
    )
    line = error_line(1, "serve")
    assert f"{package} is not installed" in line
    assert 'pip install "genai_tutorial[serve]"' in line


def test_serve_leaves_smollm2_out_if_it_is_not_installed(monkeypatch):
    def missing():
        raise FileNotFoundError("no file")

    names = list(ServedName)
    monkeypatch.setattr(app, "find_smollm2", lambda: "a file")
    assert available_models(names) == names
    monkeypatch.setattr(app, "find_smollm2", missing)
    assert available_models(names) == [name for name in names if name != "smollm2"]


@pytest.mark.slow
def test_serve_stops_cleanly_at_ctrl_c():
    program = (
        # a process started in the background ignores Ctrl-C
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from genai_tutorial.cli import main; "
        "main(['serve', '--model', 'shakespeare', '--port', '0'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    line = process.stderr.readline()
    address = re.fullmatch(
        r"shakespeare at (http://127\.0\.0\.1:\d+)/v1 \(Ctrl-C stops\)\n", line
    )[1]
    with urllib.request.urlopen(f"{address}/health", timeout=60) as reply:
        assert reply.status == 200
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "", "Stopped.\n")


@pytest.mark.slow
def test_served_models_answer_as_their_recipes_do():
    models = load_all(["factbook-sft", "factbook-ppo", "factbook-base", "shakespeare"])
    question = "What is the capital of Kenya?"
    with (
        running(models) as (_, address),
        OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client,
    ):
        for name in ("factbook-sft", "factbook-ppo"):
            reply = client.chat.completions.create(
                model=name, messages=[{"role": "user", "content": question}]
            )
            loaded = models[name].model, models[name].tokenizer
            options = TextOptions(
                prompt=question, temperature=0, tokens=MAX_ANSWER_TOKENS
            )
            written = recipes.recipe(name).write(loaded, options, seed=0)
            assert reply.choices[0].message.content == written
        for name, prompt in (
            ("factbook-base", "The capital of Kenya is"),
            ("shakespeare", "JULIET:\n"),
        ):
            reply = client.completions.create(
                model=name, prompt=prompt, max_tokens=40, temperature=0.8, seed=7
            )
            loaded = models[name].model, models[name].tokenizer
            options = TextOptions(prompt=prompt, temperature=0.8, tokens=40)
            written = recipes.recipe(name).write(loaded, options, seed=7)
            assert prompt + reply.choices[0].text == written


@pytest.mark.slow
def test_served_smollm2_answers_as_if_alone(smollm2):
    served = ServedModel("smollm2", *smollm2, CHAT_PROFILES["smollm2"], 0.2)
    turns = [Message("user", "Say hello.")]
    request = Request(
        tuple(served.encode_chat(turns)),
        SamplingOptions(8, end_tokens=served.end_tokens),
    )
    alone = served.tokenizer.decode(answer_alone(served.model, request).ids)
    with (
        running({"smollm2": served}) as (_, address),
        OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client,
    ):
        reply = client.chat.completions.create(
            model="smollm2",
            messages=[{"role": "user", "content": "Say hello."}],
            max_tokens=8,
            temperature=0,
            extra_body={"repetition_penalty": 1},
        )
    assert reply.choices[0].message.content == alone
