"""Small Llamas with random weights, written in SmolLM2's file formats."""

import importlib.util
from pathlib import Path

import gguf
import numpy as np
import pytest
import tokenizers
import transformers

from genai_tutorial.tokenization import byte_to_unicode
from tests.drawn import stirred

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "a"), ("i", "n"), ("1", "2")]
TOKENS = [*SPECIAL, *byte_to_unicode().values(), *map("".join, MERGES)]

SETTINGS = {
    "vocab_size": len(TOKENS),
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attn_implementation": "eager",
}


def small_llama(
    seed: int = 0, tied: bool = True, **changes
) -> transformers.LlamaForCausalLM:
    """Return transformers' Llama with random weights, large enough for every part to
    matter.
    """
    rotary = {"rope_type": "default", "rope_theta": 500.0}
    config = transformers.LlamaConfig(
        **SETTINGS | {"rope_parameters": rotary, "tie_word_embeddings": tied} | changes
    )
    model = transformers.LlamaForCausalLM(config).eval()
    return stirred(model, seed, 0.1)


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Pretend that a package is not installed."""
    find = importlib.util.find_spec

    def without(name: str):
        return None if name == package else find(name)

    monkeypatch.setattr(importlib.util, "find_spec", without)


def small_tokenizer() -> tokenizers.Tokenizer:
    """Return a small tokenizer built like SmolLM2's: digits split, then GPT-2's
    pattern.
    """
    bpe = tokenizers.models.BPE({token: i for i, token in enumerate(TOKENS)}, MERGES)
    tokenizer = tokenizers.Tokenizer(bpe)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def write_folder(
    model: transformers.LlamaForCausalLM, folder: Path, shard_size: str = "1GB"
) -> Path:
    """Write a Hugging Face folder, in several files if `shard_size` is small."""
    model.save_pretrained(folder, max_shard_size=shard_size)
    small_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def write_gguf(
    model: transformers.LlamaForCausalLM,
    path: Path,
    architecture: str = "llama",
    cut: str = "smollm",
    without: str = "",
    packing: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    scaling: dict[str, str | float | int] | None = None,
    **replaced: np.ndarray,
) -> Path:
    """Write a GGUF file like llama.cpp's converter: other names, and permuted rows of
    queries and keys.

    Args:
        scaling: Entries under `llama.rope.`, such as `scaling.factor`.
    """
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    for key, value in (scaling or {}).items():
        kinds = {str: writer.add_string, int: writer.add_uint32}
        kinds.get(type(value), writer.add_float32)(f"llama.rope.{key}", value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    if without != "unk":
        writer.add_unk_token_id(0)
    for name, weight in tensors(model).items():
        if name == without:
            continue
        weight = replaced.get(name.replace(".", "_"), weight)
        if weight.ndim == 1:
            writer.add_tensor(name, weight)
        else:
            packed = gguf.quants.quantize(weight, packing)
            writer.add_tensor(name, packed, raw_dtype=packing)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(model: transformers.LlamaForCausalLM) -> dict[str, np.ndarray]:
    """Return the weights under llama.cpp's names and in its order of rows."""
    state = {name: weight.numpy() for name, weight in model.state_dict().items()}
    config = model.config
    found = {
        "token_embd.weight": state["model.embed_tokens.weight"],
        "output_norm.weight": state["model.norm.weight"],
    }
    if not config.tie_word_embeddings:
        found["output.weight"] = state["lm_head.weight"]
    names = {
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    for layer in range(config.num_hidden_layers):
        for ours, theirs in names.items():
            weight = state[f"model.layers.{layer}.{theirs}.weight"]
            if ours in ("attn_q", "attn_k"):
                all_heads = config.num_attention_heads, config.num_key_value_heads
                heads = all_heads[ours == "attn_k"]
                halves = weight.reshape(heads, 2, -1, weight.shape[1])
                weight = halves.swapaxes(1, 2).reshape(weight.shape)
            found[f"blk.{layer}.{ours}.weight"] = np.ascontiguousarray(weight)
    return found
