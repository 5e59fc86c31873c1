"""The book's decoder with GPT-2's settings equals transformers' GPT-2: with the same
weights it gives the same logits and gradients.
"""

import pytest
import torch

from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss
from tests.decoders import randomized
from tests.drawn import integers
from tests.parity.weights import both_kinds, gradients, same, same_entries

transformers = pytest.importorskip("transformers")

CONFIG = DecoderConfig.gpt2(
    vocab_size=65, context_length=32, width=48, layers=3, heads=4
)

# Their names on the left, ours on the right. `*` marks their Conv1D layers, which store
# the matrix transposed.
LAYER_NAMES = {
    **both_kinds({"ln_1": "attention_norm", "ln_2": "feed_forward_norm"}),
    "attn.c_proj.weight*": "attention.output.weight",
    "attn.c_proj.bias": "attention.output.bias",
    "mlp.c_fc.weight*": "feed_forward.widen.weight",
    "mlp.c_fc.bias": "feed_forward.widen.bias",
    "mlp.c_proj.weight*": "feed_forward.output.weight",
    "mlp.c_proj.bias": "feed_forward.output.bias",
}
OTHER_NAMES = {
    "transformer.wte.weight": "token_embedding.weight",
    "transformer.wpe.weight": "position_embedding.weight",
    **both_kinds({"transformer.ln_f": "final_norm"}),
}
QUERY_KEY_VALUE = ("query", "key", "value")


def to_transformers(ours, layers):
    theirs = {name: ours[ours_name] for name, ours_name in OTHER_NAMES.items()}
    theirs["lm_head.weight"] = ours["token_embedding.weight"]
    for i in range(layers):
        for name, ours_name in LAYER_NAMES.items():
            value = ours[f"blocks.{i}.{ours_name}"]
            theirs[f"transformer.h.{i}.{name.rstrip('*')}"] = (
                value.t() if name.endswith("*") else value
            )
        for kind in ("weight", "bias"):
            start = f"blocks.{i}.attention"
            parts = [ours[f"{start}.{part}.{kind}"] for part in QUERY_KEY_VALUE]
            theirs[f"transformer.h.{i}.attn.c_attn.{kind}"] = torch.cat(parts).t()
    return {name: value.contiguous() for name, value in theirs.items()}


def from_transformers(theirs, layers):
    ours = {ours_name: theirs[name] for name, ours_name in OTHER_NAMES.items()}
    for i in range(layers):
        for name, ours_name in LAYER_NAMES.items():
            value = theirs[f"transformer.h.{i}.{name.rstrip('*')}"]
            ours[f"blocks.{i}.{ours_name}"] = value.t() if name.endswith("*") else value
        for kind in ("weight", "bias"):
            joined = theirs[f"transformer.h.{i}.attn.c_attn.{kind}"].t()
            for part, value in zip(QUERY_KEY_VALUE, joined.chunk(3), strict=True):
                ours[f"blocks.{i}.attention.{part}.{kind}"] = value
    return {name: value.contiguous() for name, value in ours.items()}


def their_model(**settings):
    settings = transformers.GPT2Config(
        vocab_size=CONFIG.vocab_size, n_positions=CONFIG.context_length,
        n_embd=CONFIG.width, n_layer=CONFIG.layers, n_head=CONFIG.attention.heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0,
        attn_implementation="eager", **settings,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(settings)


def random_pair(seed=0):
    """Return both models with the same random weights, including biases and gains."""
    ours, theirs = randomized(CONFIG, seed), their_model(eos_token_id=0)
    theirs.load_state_dict(to_transformers(ours.state_dict(), CONFIG.layers))
    return ours, theirs


def random_ids(batch=4, length=32, seed=0):
    return integers(CONFIG.vocab_size, batch, length, seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_logits_losses_and_gradients_are_equal(seed):
    ours, theirs = random_pair(seed)
    ids = random_ids(seed=seed)
    same(ours(ids), theirs(ids).logits)
    our_loss = next_token_loss(ours(ids[:, :-1]), ids[:, 1:])
    their_loss = theirs(ids, labels=ids).loss
    same(our_loss, their_loss)
    our_loss.backward()
    their_loss.backward()
    same_entries(gradients(ours), from_transformers(gradients(theirs), CONFIG.layers))


def test_attention_maps_are_equal():
    ours, theirs = random_pair()
    ids = random_ids(batch=2, length=9)
    expected = torch.stack(theirs(ids, output_attentions=True).attentions)
    same(ours.attention_maps(ids), expected)


def test_weight_names_map_both_ways():
    ours, theirs = random_pair()
    mapped = to_transformers(ours.state_dict(), CONFIG.layers)
    assert mapped.keys() == theirs.state_dict().keys()
    back = from_transformers(mapped, CONFIG.layers)
    same_entries(back, ours.state_dict(), atol=0, rtol=0)


def test_transformers_gpt2_loads_into_decoder():
    _, theirs = random_pair(seed=7)
    ours = DecoderLM(CONFIG)
    ours.load_state_dict(from_transformers(theirs.state_dict(), CONFIG.layers))
    ids = random_ids(seed=7)
    same(ours(ids), theirs(ids).logits)
