"""Packed models and tokenizers, and the engine that reads them."""

import base64
import json
import re
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.edge import (
    PackedModel,
    engine_script,
    engine_source,
    kernel_code,
    model_script,
    pack_model,
    pack_tokenizer,
    tokenizer_script,
)
from genai_tutorial.tokenization import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    SMOLLM2_PATTERN,
    BPETokenizer,
    CharacterTokenizer,
    train_bpe,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.decoders import mixtral
from tests.edge.models import disturbed

ALPHABET = CharacterTokenizer("abcdefgh")
PACKED_BPE = pack_tokenizer(train_bpe("to be or not " * 9, 264))
SIZES = {"context_length": 16, "width": 32, "layers": 2, "heads": 4}
FAST = DecoderConfig.fast(
    8, **SIZES, convolution_size=1, pair_features=8, triple_features=8
)
LLAMA = DecoderConfig.llama(
    8, **SIZES, key_value_heads=2, feed_forward_width=40, tied_embeddings=True
)


def random_model(config: DecoderConfig, seed: int = 0) -> DecoderLM:
    return disturbed(config, seed, spread=0.1)


@pytest.mark.parametrize("config", [FAST, LLAMA], ids=["fast", "llama"])
def test_unpacked_weights_differ_by_at_most_half_a_level_of_their_row(config):
    model = random_model(config)
    unpacked, tokenizer = pack_model("small", model, ALPHABET).unpack()
    assert (unpacked.config, tokenizer) == (config, ALPHABET)
    for (name, before), after in zip(
        model.state_dict().items(), unpacked.state_dict().values(), strict=True
    ):
        if "norm" in name or "convolution" in name:
            assert torch.equal(before, after), name
        else:
            half = before.abs().amax(dim=1, keepdim=True) / 127 / 2
            assert ((before - after).abs() <= half * 1.001).all(), name
            assert not torch.equal(before, after), name


def test_packing_twice_gives_the_same_bytes_and_another_model_others():
    first, second = (pack_model("a", random_model(LLAMA), ALPHABET) for _ in range(2))
    assert first.content == second.content
    assert first.digest == second.digest
    assert pack_model("a", random_model(LLAMA, 1), ALPHABET).digest != first.digest


def test_packing_an_unpacked_model_changes_nothing():
    packed = pack_model("a", random_model(FAST), ALPHABET)
    assert pack_model("a", *packed.unpack()).content == packed.content


def test_unpacking_draws_no_random_numbers():
    packed = pack_model("a", random_model(FAST), ALPHABET)
    before = torch.get_rng_state()
    packed.unpack()
    assert torch.equal(before, torch.get_rng_state())


def test_packed_model_takes_about_a_byte_per_weight():
    wide = replace(LLAMA, width=128)
    model = random_model(wide)
    packed = pack_model("a", model, ALPHABET)
    assert 1 < len(packed.content) / model.parameter_count() < 1.25
    assert len(packed.base64) == pytest.approx(len(packed.content) * 4 / 3, abs=3)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (DecoderConfig(8), "rotary positions, RMSNorm, no biases"),
        (replace(LLAMA, bias=True), "no biases"),
        (DecoderConfig.fast(8, **SIZES, convolution_size=2), "size 0 or 1"),
        (mixtral(8, 16, 32, 1, 4, 4, 40), "no mixture"),
        (DecoderConfig.llama(8, **SIZES, key_value_heads=2, feed_forward_width=44),
         "multiples of 8"),
        (replace(LLAMA, vocab_size=9), "9 tokens and the tokenizer 8"),
        (replace(FAST, vocab_size=1500), "below 1,500"),
    ],
)  # fmt: skip
def test_pack_model_refuses_what_the_engine_does_not_know(config, reason):
    with pytest.raises(ValueError, match=reason):
        pack_model("a", DecoderLM(config), ALPHABET)


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a.js"])
def test_packed_model_refuses_a_name_that_is_no_file_name(name):
    with pytest.raises(ValueError, match="name must consist of"):
        PackedModel(name, b"")


def test_damaged_content_raises_a_value_error():
    content = pack_model("a", random_model(LLAMA), ALPHABET).content
    for damaged in (b"", b"\x00", content[:50], b"\x02\x00\x00\x00{}", content[:-900]):
        with pytest.raises(ValueError, match=r"packed model|buffer"):
            PackedModel("a", damaged).unpack()
    missing = content.replace(b'"final_norm.weight"', b'"final_norm.weighs"')
    with pytest.raises(ValueError, match="damaged"):
        PackedModel("a", missing).unpack()


@pytest.mark.parametrize(
    "damage",
    [
        {"config": []},
        {"config": None},
        {"config": asdict(LLAMA) | {"attention": []}},
        {"config": asdict(LLAMA) | {"layers": 10**9}},
        {"config": asdict(LLAMA) | {"vocab_size": 10**12}},
        {"tensors": None},
        {"tensors": {"final_norm.weight": {"shape": [1e400], "values": 0}}},
        {"tensors": {"final_norm.weight": {"shape": [32], "values": -5}}},
        {"tensors": {"final_norm.weight": {"shape": [32], "values": 2**70}}},
        {"tokenizer": None},
        {"tokenizer": {"characters": 5}},
        {"tokenizer": {"merges": PACKED_BPE["merges"]}},
        {"tokenizer": PACKED_BPE | {"pattern": "a+"}},
        {"tokenizer": PACKED_BPE | {"merges": "AAA"}},
        {"tokenizer": PACKED_BPE | {"special_tokens": []}},
        {"tokenizer": PACKED_BPE | {"first_merge": 10**12}},
        {"tokenizer": PACKED_BPE | {"byte_ids": ["a"]}},
    ],
)
def test_damaged_header_raises_a_value_error_that_names_the_model(damage):
    packed = pack_model("small", random_model(LLAMA), ALPHABET)
    text = json.dumps(packed.header | damage).encode()
    text += b" " * (-len(text) % 4)
    start = 4 + int.from_bytes(packed.content[:4], "little")
    content = len(text).to_bytes(4, "little") + text + packed.content[start:]
    with pytest.raises(ValueError, match="'small' is damaged"):
        PackedModel("small", content).unpack()


TEXT = "low lower lowest 文字 😀😀 the theme of the thesis "


@settings(max_examples=20)
@given(
    pattern=st.sampled_from((GPT2_PATTERN, GPT4_PATTERN, SMOLLM2_PATTERN)),
    merges=st.integers(0, 20),
    special=st.sampled_from(([], ["<|end|>"], ["<a>", "<b>"])),
)
def test_packed_tokenizer_survives_unpacking(pattern, merges, special):
    size = 256 + len(special) + merges
    tokenizer = train_bpe(TEXT * 3, size, pattern, special)
    config = replace(LLAMA, vocab_size=tokenizer.vocab_size)
    assert pack_model("a", DecoderLM(config), tokenizer).unpack()[1] == tokenizer


def test_pack_tokenizer_refuses_tokens_in_another_order():
    tokenizer = train_bpe(TEXT * 3, 260)
    tokens = [*tokenizer.token_bytes[:-2], *tokenizer.token_bytes[:-3:-1]]
    other = BPETokenizer.from_parts(
        tokens, tokenizer.merges, tokenizer.special_tokens, tokenizer.pattern
    )
    with pytest.raises(ValueError, match="in their order"):
        pack_tokenizer(other)


def test_engine_script_holds_all_sources_and_the_kernel():
    script = engine_script()
    for name in ("kernel.js", "bpe.js", "sampling.js", "decoder.js"):
        assert engine_source(name) in script
    (kernel,) = re.findall(r'kernelCode = fromBase64\("(.*?)"\)', script)
    assert base64.b64decode(kernel) == kernel_code()
    assert len(script) < 20_000


def test_engine_asks_nothing_of_the_network():
    for word in ("fetch", "XMLHttpRequest", "import(", "http:", "https:", "WebSocket"):
        assert word not in engine_script()


def test_scripts_can_stand_inside_a_page():
    packed = PackedModel("a", b"content")
    for script in (engine_script(), tokenizer_script(), model_script(packed)):
        assert "</script" not in script
        assert "<!--" not in script


def test_model_script_holds_the_content_and_its_digest():
    packed = PackedModel("small-model", b"\x00\xff" * 10)
    (content,) = re.findall(
        r'genaiEdge\.models\["small-model"\] = (.*);', model_script(packed)
    )
    entry = json.loads(content)
    assert base64.b64decode(entry["content"]) == packed.content
    assert entry["digest"] == packed.digest


def test_engine_source_refuses_other_names():
    with pytest.raises(ValueError, match=r"matvec\.wat, not '\.\./pack\.py'"):
        engine_source("../pack.py")
