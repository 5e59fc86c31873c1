"""Small models with random weights in place of the book's, and a server for them."""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import torch

from genai_tutorial.cli.chat import ChatProfile
from genai_tutorial.cli.server.app import Server, open_port
from genai_tutorial.cli.server.worker import ServedModel
from genai_tutorial.generation import stream
from genai_tutorial.tokenization import (
    SMOLLM2_CHAT,
    CharacterTokenizer,
    ChatTemplate,
    train_bpe,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, InitializationConfig
from tests.drawn import stirred

SPECIAL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
LETTERS = CharacterTokenizer("\n abcdefghijklmnopqrstuvwxyzé🙂")


def chat_model(name="chat", remembers=True, context=256, seed=0):
    """Return a chat model that writes any bytes and seldom ends by itself."""
    words = "user assistant system You are a helpful AI assistant named SmolLM " * 3
    tokenizer = train_bpe(words, 280, special_tokens=SPECIAL)
    config = DecoderConfig.llama(tokenizer.vocab_size, context, 32, 2, 2, 1, 32)
    # Large weights make answers to different prompts differ.
    config = replace(config, initialization=InitializationConfig(std=0.5))
    model = DecoderLM(config, seed).eval()
    template = SMOLLM2_CHAT if remembers else ChatTemplate()
    profile = ChatProfile(template, "", 12, remembers)
    return ServedModel(name, model, tokenizer, profile, 0)


def letter_model(name="letters"):
    """Return a model of characters with short convolutions."""
    config = DecoderConfig.fast(LETTERS.vocab_size, 64, 16, 2, 2, pair_features=4)
    model = DecoderLM(config)
    stirred(model, size=1.0)
    return ServedModel(name, model, LETTERS, None, 1.0)


def models():
    served = [
        chat_model(),
        chat_model("single", remembers=False, seed=1),
        letter_model(),
    ]
    return {model.name: model for model in served}


def expected_bytes(served, prompt, new, temperature=0.0, top_p=None, seed=0):
    """Return the tokens and the text of the answer that `stream` gives."""
    ids = list(
        stream(
            served.model,
            prompt,
            new,
            temperature=temperature,
            top_p=top_p,
            stop_tokens=served.end_tokens,
            generator=torch.Generator().manual_seed(seed),
        )
    )
    decoder = served.text_decoder()
    return ids, "".join(map(decoder.push, ids)) + decoder.finish()


@contextmanager
def running(served, max_waiting=64):
    """Run a server in a thread of this process, and yield it with its address."""
    server, listener = Server(served, max_waiting), open_port(0)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        listener.listen()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def wait_until(condition, seconds=20):
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
