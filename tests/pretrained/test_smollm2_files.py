"""The two file formats, with small models of random weights made by transformers."""

import contextlib
import json
import math
import shutil
import struct

import gguf
import numpy as np
import pytest
import torch
import transformers

from genai_tutorial.pretrained import gguf as gguf_reader
from genai_tutorial.pretrained import load_smollm2, load_smollm2_tokenizer
from genai_tutorial.pretrained.gguf import unpermute
from tests.mutants import mutants, refusals
from tests.pretrained.small_llamas import (
    SPECIAL,
    TOKENS,
    small_llama,
    small_tokenizer,
    write_folder,
    write_gguf,
)

IDS = torch.randint(len(TOKENS), (3, 50), generator=torch.Generator().manual_seed(0))
REMOVED = object()
TEXT = "the thin 1234 inns\n\n  at 12 o'clock, naïve 東京 <b>&amp;</b>"


@pytest.fixture(scope="module")
def theirs():
    return small_llama()


@pytest.fixture(scope="module")
def made(theirs, tmp_path_factory):
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def folder(theirs, made):
    return write_folder(theirs, made / "folder")


@pytest.fixture(scope="module")
def file(theirs, made):
    return write_gguf(theirs, made / "small.gguf")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture
def refused():
    """Return a check that loading fails with a one-line message that names the file and
    contains these words.
    """

    def check(path, *words, kind=ValueError):
        with pytest.raises(kind) as caught:
            load_smollm2(path=path)
        message = str(caught.value)
        assert "\n" not in message
        assert str(path) in message
        for word in words:
            assert word in message, message

    return check


def change(folder, **settings):
    """Change entries of a config.json; REMOVED takes one away."""
    path = folder / "config.json"
    changed = json.loads(path.read_text()) | settings
    kept = {key: value for key, value in changed.items() if value is not REMOVED}
    path.write_text(json.dumps(kept))


def assert_equal_to_transformers(path, theirs):
    model, tokenizer = load_smollm2(path=path)
    with torch.no_grad():
        torch.testing.assert_close(model(IDS), theirs(IDS).logits, atol=1e-5, rtol=1e-5)
    assert not model.training
    assert not any(part.is_meta for part in (*model.parameters(), *model.buffers()))
    assert tokenizer.encode(TEXT) == small_tokenizer().encode(TEXT).ids
    assert tokenizer.special_tokens == {token: i for i, token in enumerate(SPECIAL)}
    assert load_smollm2_tokenizer(path).encode(TEXT) == tokenizer.encode(TEXT)
    return model


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shard_size", ["1GB", "30KB"])
def test_hugging_face_folder_gives_same_logits(tmp_path, tied, shard_size):
    theirs = small_llama(seed=1, tied=tied)
    folder = write_folder(theirs, tmp_path, shard_size)
    assert (folder / "model.safetensors.index.json").exists() == (shard_size != "1GB")
    assert_equal_to_transformers(folder, theirs)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("heads", [(4, 2), (4, 4), (8, 1)])
def test_gguf_file_gives_same_logits(tmp_path, tied, heads):
    theirs = small_llama(
        seed=2, tied=tied, num_attention_heads=heads[0], num_key_value_heads=heads[1]
    )
    assert_equal_to_transformers(write_gguf(theirs, tmp_path / "small.gguf"), theirs)


def test_gguf_quantized_weights_are_dequantized(tmp_path, theirs):
    for packing, error in (
        (gguf.GGMLQuantizationType.Q8_0, 0.005),
        (gguf.GGMLQuantizationType.Q4_1, 0.05),
    ):
        model, _ = load_smollm2(
            path=write_gguf(theirs, tmp_path / "packed.gguf", packing=packing)
        )
        exact = theirs.model.layers[1].self_attn.k_proj.weight
        found = model.blocks[1].attention.key.weight
        assert 0 < (found - exact).square().mean().sqrt() / exact.std() < error * 2


def test_config_comes_from_file(file, folder):
    for path in (file, folder):
        config = load_smollm2(path=path)[0].config
        attention = config.attention
        assert (config.layers, config.width, config.context_length) == (2, 64, 128)
        assert (attention.heads, attention.key_value_heads) == (4, 2)
        assert attention.rotary_base == 500.0
        assert config.norm.epsilon == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("dtype", "error"), [(torch.bfloat16, 0.02), (torch.float16, 0.0025)]
)
def test_load_in_other_precisions(file, folder, theirs, dtype, error):
    for path in (file, folder):
        model, _ = load_smollm2(dtype, path)
        assert {weight.dtype for weight in model.parameters()} == {dtype}
        with torch.no_grad():
            logits, exact = model(IDS), theirs(IDS).logits
        assert logits.dtype == dtype
        assert (logits.float() - exact).square().mean().sqrt() < error * exact.std()


def test_load_rejects_integer_dtype(file):
    with pytest.raises(ValueError, match=r"a floating-point type .* got torch\.int8"):
        load_smollm2(torch.int8, file)


def test_older_folder_rotary_base(copy, theirs):
    change(copy, rope_parameters=REMOVED, rope_theta=500.0, rope_scaling=None)
    assert_equal_to_transformers(copy, theirs)


ORIGINAL = "original_max_position_embeddings"
YARN = {"factor": 4.0, ORIGINAL: 32}
LINEAR = {"rope_type": "linear", "factor": 4.0}
LLAMA3 = YARN | {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
SCALINGS = {
    "linear": {"factor": 4.0},
    "dynamic": {"factor": 4.0},
    "llama3": LLAMA3,
    "yarn": YARN | {"beta_fast": 8.0, "beta_slow": 1.0},
    "yarn, defaults": {"factor": 4.0, "beta_fast": None},
    "yarn, the paper's factor": YARN | {"attention_factor": 0.1 * math.log(4) + 1},
}


@pytest.mark.parametrize("spelling", ["rope_type", "type", "rope_parameters"])
@pytest.mark.parametrize("name", SCALINGS)
def test_rotary_scaling_spellings_match_transformers(copy, theirs, name, spelling):
    """A folder with rotary scaling in its config.json gives the logits of transformers,
    which loads the same folder.
    """
    kind, scaling = name.split(",")[0], SCALINGS[name]
    if spelling == "rope_parameters":
        parameters = {"rope_type": kind, "rope_theta": 500.0, **scaling}
        change(copy, rope_parameters=parameters)
    else:
        scaling = {spelling: kind, **scaling}
        change(copy, rope_parameters=REMOVED, rope_theta=500.0, rope_scaling=scaling)
    scaled = transformers.LlamaForCausalLM.from_pretrained(copy).eval()
    model, _ = load_smollm2(path=copy)
    with torch.no_grad():
        ours, exact = model(IDS), scaled(IDS).logits
        unscaled = theirs(IDS).logits
    torch.testing.assert_close(ours, exact, atol=1e-4, rtol=0)
    changed = (exact - unscaled).abs().max() > 0.1
    assert changed == (name != "dynamic")  # which begins beyond the context length


def test_rotary_scaling_precedence_matches_transformers(copy):
    """If there are two entries the older one counts, and an original length at the top
    level takes precedence over one inside.
    """
    inner = {"type": "yarn", "factor": 2.0, "rope_theta": 300.0}
    inner["original_max_position_embeddings"] = 16
    change(copy, rope_scaling=inner, original_max_position_embeddings=64)
    scaled = transformers.LlamaForCausalLM.from_pretrained(copy).eval()
    with torch.no_grad():
        ours = load_smollm2(path=copy)[0](IDS)
        torch.testing.assert_close(ours, scaled(IDS).logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("scaling", "words"),
    [
        ({"type": "longrope", "factor": 4.0}, "is 'longrope'"),
        ({"type": ["linear"], "factor": 4.0}, "is \"['linear']\""),
        ({"factor": 4.0}, "no rope_type"),
        ({"type": "linear"}, "must have factor as a number, but has 'None'"),
        ({"type": "linear", "factor": "4"}, "factor as a number"),
        ({"type": "linear", "factor": True}, "factor as a number"),
        ({"type": "linear", "factor": math.nan}, "factor as a number"),
        ({"type": "linear", "factor": 0.5}, "factor must be at least 1"),
        (LLAMA3 | {"type": "llama3", "low_freq_factor": None}, "low_freq_factor"),
        (LLAMA3 | {"type": "llama3", "low_freq_factor": 9.0}, "slow_turns"),
        (YARN | {"type": "yarn", ORIGINAL: 1.5}, f"{ORIGINAL} must be a whole number"),
        (YARN | {"type": "yarn", "truncate": False}, "truncate"),
        (YARN | {"type": "yarn", "attention_factor": 1.0}, "by 1, but the book's"),
        (YARN | {"type": "yarn", "mscale": 1.0, "mscale_all_dim": 1.0}, "by 1.13863"),
    ],
)
def test_rotary_scaling_unsupported_is_rejected(copy, refused, scaling, words):
    change(copy, rope_parameters=REMOVED, rope_theta=500.0, rope_scaling=scaling)
    refused(copy, words)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"scaling.type": "linear", "scaling.factor": 4.0}, LINEAR),
        ({"scaling.factor": 4.0}, LINEAR),
        ({"scale_linear": 4.0}, LINEAR),
        ({"scaling.type": "none", "scaling.factor": 4.0}, {"rope_type": "default"}),
        ({"scaling.type": "linear"}, {"rope_type": "default"}),
        (
            {
                "scaling.type": "yarn",
                "scaling.factor": 4.0,
                "scaling.original_context_length": 32,
                "scaling.yarn_beta_fast": 8.0,
                "scaling.attn_factor": 1.0,
            },
            {"rope_type": "yarn", **SCALINGS["yarn"]},
        ),
    ],
)
def test_gguf_rotary_scaling_matches_transformers(tmp_path, written, meant):
    theirs = small_llama(rope_parameters={"rope_theta": 500.0, **meant})
    path = write_gguf(theirs, tmp_path / "small.gguf", scaling=written)
    with torch.no_grad():
        ours = load_smollm2(path=path)[0](IDS)
        torch.testing.assert_close(ours, theirs(IDS).logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"scaling.type": "longrope", "scaling.factor": 4.0}, "is 'longrope'"),
        ({"scaling.type": "yarn"}, "must have factor as a number"),
        (
            {"scaling.factor": 4.0, "scaling.yarn_ext_factor": 0.5},
            "sets llama.rope.scaling.yarn_ext_factor to 0.5",
        ),
        ({"scaling.type": 2}, "its rotary scaling is '2'"),
    ],
)
def test_gguf_rotary_scaling_unsupported_is_rejected(
    tmp_path, theirs, refused, written, words
):
    refused(write_gguf(theirs, tmp_path / "small.gguf", scaling=written), words)


def test_unknown_token_from_tokenizer_config(copy, refused):
    described = json.loads((copy / "tokenizer.json").read_text())
    assert described["model"]["unk_token"] is None
    last = described["model"]["vocab"].pop("ÿ")  # the byte 255, which is in no text
    described["model"]["vocab"]["ab"] = last
    (copy / "tokenizer.json").write_text(json.dumps(described))
    refused(copy, "none for 1 of the 256 bytes")
    for named in ("<|im_end|>", {"content": "<|im_end|>", "lstrip": False}):
        (copy / "tokenizer_config.json").write_text(json.dumps({"unk_token": named}))
        assert load_smollm2_tokenizer(copy).unknown_id == 2
    (copy / "tokenizer_config.json").write_text(json.dumps({"unk_token": "<none>"}))
    refused(copy, "none for 1 of the 256 bytes")


def test_unpermute_inverts_llama_cpp_permutation():
    original = torch.arange(48.0).reshape(16, 3)
    for heads in (1, 2, 4):
        paired = original.reshape(heads, 2, -1, 3).transpose(1, 2).reshape(16, 3)
        assert not torch.equal(paired, original)
        assert torch.equal(unpermute(paired, heads), original)


# --- Files that are wrong -------------------------------------------------------------


def test_missing_path_is_reported(tmp_path, refused):
    refused(tmp_path / "gone", "There is nothing", kind=FileNotFoundError)


def test_gguf_rejects_other_file(tmp_path, refused):
    for content in (b"", b"GG", b"PK\3\4 a zip", b"\x80\x04}\x94."):
        (tmp_path / "model.gguf").write_bytes(content)
        refused(tmp_path / "model.gguf", "is not a GGUF file", repr(content[:4]))


def test_gguf_rejects_truncated_file(file, tmp_path, refused):
    content = file.read_bytes()
    weights = load_smollm2(path=file)[0].parameters()
    start = len(content) - sum(4 * weight.numel() for weight in weights)
    cut = tmp_path / "cut.gguf"
    parts = (start // 4, start // 2, start - 100, start + 10, len(content) - 64)
    for length in (4, 6, 16, 25, 100, *parts):
        cut.write_bytes(content[:length])
        refused(cut, "truncated or damaged", f"{length:,} bytes")


@pytest.mark.slow
def test_gguf_flipped_byte_raises_only_value_error(file, tmp_path):
    content = bytearray(file.read_bytes())
    damaged = tmp_path / "damaged.gguf"
    generator = np.random.default_rng(0)
    for place in generator.integers(4, 9000, 60):
        flipped = content.copy()
        flipped[place] ^= int(generator.integers(1, 256))
        damaged.write_bytes(flipped)
        # a flipped bit in a weight gives a valid file with another value
        with contextlib.suppress(ValueError):
            load_smollm2(path=damaged)


def test_gguf_rejects_other_architecture(tmp_path, theirs, refused):
    for architecture in ("gpt2", "qwen2"):
        path = write_gguf(theirs, tmp_path / "other.gguf", architecture)
        refused(path, f"architecture {architecture!r}", "'llama'")


def test_gguf_rejects_other_tokenizer(tmp_path, theirs, refused):
    path = write_gguf(theirs, tmp_path / "other.gguf", cut="llama-bpe")
    refused(path, "'llama-bpe'", "'smollm'")


def test_gguf_rejects_missing_setting(tmp_path, theirs, refused):
    path = write_gguf(theirs, tmp_path / "other.gguf", without="unk")
    refused(path, "must give tokenizer.ggml.unknown_token_id")


def test_gguf_rejects_missing_or_unknown_weights(tmp_path, theirs, refused):
    for name, ours in (
        ("output_norm.weight", "final_norm.weight"),
        ("blk.1.ffn_gate.weight", "blocks.1.feed_forward.gate.weight"),
    ):
        path = write_gguf(theirs, tmp_path / "less.gguf", without=name)
        refused(path, f"{ours} is missing")
    wide = np.zeros((64, 32), np.float32)
    path = write_gguf(theirs, tmp_path / "other.gguf", blk_0_attn_q_weight=wide)
    refused(path, "attention.query.weight has the shape (64, 32) instead of (64, 64)")


def test_folder_rejects_missing_file(copy, refused):
    for name in ("tokenizer.json", "model.safetensors", "config.json"):
        (copy / name).unlink()
        missing = "weights" if name.startswith("model") else name
        refused(copy, f"has no {missing}", kind=FileNotFoundError)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "gpt2"),
        ("hidden_act", "gelu"),
        ("attention_bias", True),
        ("mlp_bias", True),
        ("head_dim", 32),
        ("hidden_size", "64"),
        ("num_attention_heads", 0),
        ("max_position_embeddings", 10**12),
        ("num_key_value_heads", None),
        ("num_hidden_layers", True),
        ("rope_parameters", {"rope_type": "llama3", "rope_theta": 500.0}),
        ("rope_parameters", {"rope_type": "default"}),
        ("rope_parameters", "default"),
        ("tie_word_embeddings", "yes"),
    ],
)
def test_folder_rejects_other_settings(copy, refused, key, value):
    change(copy, **{key: value})
    refused(copy)


def test_folder_rejects_other_weights(copy, refused):
    change(copy, tie_word_embeddings=False)
    refused(copy, "head.weight is missing")
    change(copy, tie_word_embeddings=True, intermediate_size=97)
    refused(copy, "gate.weight has the shape (96, 64) instead of (97, 64)")
    change(copy, num_hidden_layers=3)
    refused(copy, "a model with 3 layers but has weights for 2")


def test_folder_rejects_damaged_files(copy, refused, folder):
    for name in ("config.json", "tokenizer.json"):
        for content in (b"", b"{", b"[1, 2]", b"\xff\xfe", b"[" * 100_000):
            (copy / name).write_bytes(content)
            refused(copy)
        shutil.copy(folder / name, copy)
    weights = (folder / "model.safetensors").read_bytes()
    for content in (b"", weights[:100], weights[:-100], b"\xff" * 100):
        (copy / "model.safetensors").write_bytes(content)
        refused(copy, "truncated or damaged")


def test_index_reads_only_files_of_its_folder(tmp_path, theirs, refused):
    outside = write_folder(theirs, tmp_path / "outside")
    folder = write_folder(theirs, tmp_path / "folder", "30KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    places = dict.fromkeys(index["weight_map"], "../outside/model.safetensors")
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": places}))
    assert (outside / "model.safetensors").exists()
    refused(folder, "has no model.safetensors", kind=FileNotFoundError)
    for content in ({}, {"weight_map": []}, {"weight_map": {"a": 1}}):
        path.write_text(json.dumps(content))
        refused(folder, "has no weight_map")


def test_gguf_that_announces_a_huge_array_is_refused_at_once(tmp_path, refused):
    """Nothing of 2^33 numbers is read in a file of less than 100 bytes."""
    path = tmp_path / "huge.gguf"
    header = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1)
    key = struct.pack("<Q1sI", 1, b"a", 9)  # an array, here of bytes
    path.write_bytes(header + key + struct.pack("<IQ", 0, 2**33) + bytes(40))
    refused(path, "truncated or damaged", "up to byte")


def test_gguf_with_too_many_values_is_refused(file, monkeypatch, refused):
    """The library reads one value after another, a minute for 5 MB of bytes."""
    monkeypatch.setattr(gguf_reader, "MOST_VALUES", 100)
    refused(file, "truncated or damaged", "more than 100 values")


def test_damaged_weights_are_a_value_error_that_names_them(copy):
    path = copy / "model.safetensors"
    damaged = mutants(path.read_bytes(), 40, within=1500)
    said = refusals(path, damaged, lambda: load_smollm2(path=copy))
    assert len(said) > 20
    assert all(str(copy) in message for message in said)
