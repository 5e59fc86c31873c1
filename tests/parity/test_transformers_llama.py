"""The book's decoder with Llama's settings equals transformers' Llama, and with a
sliding window their Mistral.
"""

import dataclasses

import pytest
import torch

from genai_tutorial.generation import generate, option_log_likelihoods
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    DynamicNTKScaling,
    LinearScaling,
    Llama3Scaling,
    NormConfig,
    NTKScaling,
    RotaryEmbedding,
    YarnScaling,
    next_token_loss,
    rotary_frequencies,
)
from tests.drawn import integers, normal, stirred
from tests.parity.weights import llama_names, llama_settings, same, same_gradients

transformers = pytest.importorskip("transformers")
ROPE_INIT_FUNCTIONS = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS

CONFIG = DecoderConfig.llama(65, 48, 48, 3, 6, 2, 80)
LLAMA3 = Llama3Scaling(factor=8, original_context_length=16, slow_turns=1, fast_turns=4)
YARN = YarnScaling(factor=4, original_context_length=12)


def with_attention(**settings):
    attention = dataclasses.replace(CONFIG.attention, **settings)
    return dataclasses.replace(CONFIG, attention=attention)


VARIANTS = {
    "grouped queries": CONFIG,
    "one key/value head": with_attention(key_value_heads=1),
    "no groups, small base": with_attention(key_value_heads=None, rotary_base=10_000),
    "tied": dataclasses.replace(CONFIG, tied_embeddings=True),
    "linear scaling": with_attention(rotary_scaling=LinearScaling(4)),
    "Llama 3's scaling": with_attention(rotary_scaling=LLAMA3),
    "YaRN's scaling": with_attention(rotary_scaling=YARN),
    "a large epsilon": dataclasses.replace(CONFIG, norm=NormConfig("rms", 0.1)),
    "Mistral's window": with_attention(sliding_window=7),
}
ALL = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())


def names(config):
    return llama_names(
        config.layers, head=None if config.tied_embeddings else "lm_head.weight"
    )


def rope_parameters(config):
    scaling, base = config.attention.rotary_scaling, float(config.attention.rotary_base)
    if scaling is None:
        return {"rope_type": "default", "rope_theta": base}
    if isinstance(scaling, LinearScaling):
        factor = float(scaling.factor)
        return {"rope_type": "linear", "rope_theta": base, "factor": factor}
    shared = {
        "rope_theta": base,
        "factor": float(scaling.factor),
        "original_max_position_embeddings": scaling.original_context_length,
    }
    turns = scaling.fast_turns, scaling.slow_turns
    if isinstance(scaling, YarnScaling):
        kind, fast, slow = "yarn", "beta_fast", "beta_slow"
    else:
        kind, fast, slow = "llama3", "high_freq_factor", "low_freq_factor"
        turns = map(float, turns)
    return shared | {"rope_type": kind, **dict(zip((fast, slow), turns, strict=True))}


def their_model(config):
    settings = llama_settings(config) | {
        "rope_parameters": rope_parameters(config), "attn_implementation": "eager",
        "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
    }  # fmt: skip
    del settings["rope_theta"]
    if window := config.attention.sliding_window:
        return transformers.MistralForCausalLM(
            transformers.MistralConfig(**settings, sliding_window=window)
        )
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings))


def random_pair(config, seed=0):
    """Return both models with the same random weights, including gains."""
    ours, theirs = stirred(DecoderLM(config, seed), seed + 1, 0.1), their_model(config)
    state = ours.state_dict()
    mapped = {theirs_name: state[name] for theirs_name, name in names(config).items()}
    assert set(names(config).values()) == set(state)
    if config.tied_embeddings:
        mapped["lm_head.weight"] = state["token_embedding.weight"]
    theirs.load_state_dict(mapped)
    return ours, theirs


def random_ids(batch=3, length=40, seed=0):
    return integers(CONFIG.vocab_size, batch, length, seed=seed)


@ALL
@pytest.mark.parametrize("seed", range(2))
def test_logits_and_gradients_are_equal(config, seed):
    ours, theirs = random_pair(config, seed)
    ids = random_ids(seed=seed)
    our_logits, their_logits = ours(ids), theirs(ids).logits
    same(our_logits, their_logits)
    next_token_loss(our_logits[:, :-1], ids[:, 1:]).backward()
    next_token_loss(their_logits[:, :-1], ids[:, 1:]).backward()
    same_gradients(ours, theirs, names(config), atol=1e-6)


@ALL
@torch.no_grad()
def test_greedy_generation_with_cache_is_equal(config):
    ours, theirs = random_pair(config, seed=4)
    prompt = random_ids(batch=2, length=10)
    expected = theirs.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20,
        do_sample=False, pad_token_id=0,
    )  # fmt: skip
    assert torch.equal(generate(ours, prompt, 20, temperature=0), expected)


@ALL
def test_attention_maps_are_equal(config):
    ours, theirs = random_pair(config)
    ids = random_ids(batch=2, length=20)
    expected = torch.stack(theirs(ids, output_attentions=True).attentions)
    same(ours.attention_maps(ids), expected)


@torch.no_grad()
def test_hidden_states_are_equal_before_final_norm():
    ours, theirs = random_pair(CONFIG)
    ids = random_ids(batch=2, length=20)
    *before, last = theirs(ids, output_hidden_states=True).hidden_states
    states = ours.hidden_states(ids)
    same(states[:-1], torch.stack(before))
    same(ours.final_norm(states[-1]), last)


@torch.no_grad()
def test_bfloat16_is_as_accurate_as_theirs():
    """Both implementations round to bfloat16; ours has no larger error than theirs."""
    ours, theirs = random_pair(CONFIG)
    ids = random_ids()
    exact = ours(ids)
    our_error = (ours.bfloat16()(ids).float() - exact).abs().mean()
    their_error = (theirs.bfloat16()(ids).logits.float() - exact).abs().mean()
    assert ours(ids).dtype == torch.bfloat16
    assert 0 < our_error < 1.5 * their_error


SCALINGS = [
    None, LinearScaling(), LinearScaling(factor=1), Llama3Scaling(),
    Llama3Scaling(factor=32), LLAMA3, YarnScaling(), YARN,
    YarnScaling(factor=16, original_context_length=8192),
    YarnScaling(factor=40, original_context_length=4096, slow_turns=1, fast_turns=32),
]  # fmt: skip


@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
@pytest.mark.parametrize(
    ("base", "head_width"), [(10_000, 8), (500_000, 128), (1_000_000, 64)]
)
def test_rotary_frequencies_and_factors_are_equal(scaling, base, head_width):
    config = DecoderConfig.llama(
        context_length=131_072, width=2 * head_width, heads=2, key_value_heads=2,
        rotary_base=base, rotary_scaling=scaling,
    )  # fmt: skip
    ours, factor = rotary_frequencies(head_width, base), 1.0
    with torch.device("meta"):
        settings = their_model(config).config
    if scaling is None:
        rotary = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(settings)
        theirs, their_factor = rotary.inv_freq, 1.0
    else:
        ours, factor = scaling.scale(ours, base), scaling.attention_factor
        initial = ROPE_INIT_FUNCTIONS[rope_parameters(config)["rope_type"]]
        theirs, their_factor = initial(settings, "cpu")
    same(ours.float(), theirs, atol=0, rtol=1e-6)
    assert factor == pytest.approx(their_factor, rel=1e-6)


@pytest.mark.parametrize(
    ("scaling", "length", "factor"),
    [
        (NTKScaling(4), 4 * 4096, 1.0),
        (NTKScaling(2.5), 10_240, 1.0),
        (DynamicNTKScaling(100), 100, 1.0),
        (DynamicNTKScaling(9000), 9000, 1.0),
    ],
    ids=str,
)
def test_ntk_frequencies_are_equal(scaling, length, factor):
    """The library has the dynamic kind only; a text of four times the context gives it
    the ratio 4.
    """
    rope = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": factor}
    settings = transformers.LlamaConfig(
        hidden_size=128, num_attention_heads=2, max_position_embeddings=4096,
        rope_parameters=rope,
    )  # fmt: skip
    initial = ROPE_INIT_FUNCTIONS["dynamic"]
    theirs, their_factor = initial(settings, "cpu", seq_len=length)
    ours = scaling.scale(rotary_frequencies(64, 10_000), 10_000)
    same(ours.float(), theirs, atol=0, rtol=1e-6)
    assert scaling.attention_factor == their_factor


def test_yarn_factor_scales_cosines_and_sines():
    yarn, frequencies = YarnScaling(factor=4), rotary_frequencies(8, 10_000)
    plain = RotaryEmbedding(frequencies, 30)
    scaled = RotaryEmbedding(frequencies, 30, yarn.attention_factor)
    x = normal(30, 8)
    torch.testing.assert_close(
        scaled(x).norm(dim=-1), yarn.attention_factor * plain(x).norm(dim=-1)
    )


@pytest.mark.parametrize("name", ["grouped queries", "Mistral's window"])
def test_option_log_likelihoods_equal_transformers(name):
    """Prompts and options of several lengths, against whole texts read by their model;
    the tolerance is per token.
    """
    ours, theirs = random_pair(VARIANTS[name])
    ids = random_ids(4, 30).tolist()
    prompts = [[7, 8, 9, *row[: 5 * (number + 1)]] for number, row in enumerate(ids)]
    options = [ids[0][20:21], ids[1][20:23], ids[2][20:25]]
    found = option_log_likelihoods(ours, prompts, options)
    for prompt, scores in zip(prompts, found, strict=True):
        for option, score in zip(options, scores.tolist(), strict=True):
            with torch.no_grad():
                logits = theirs(torch.tensor([[*prompt, *option]])).logits[0]
            log_probs = logits[len(prompt) - 1 : -1].log_softmax(dim=-1)
            expected = log_probs[range(len(option)), option].sum()
            assert score == pytest.approx(float(expected), abs=1e-4 * len(option))
