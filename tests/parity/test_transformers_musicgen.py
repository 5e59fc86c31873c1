"""The delay pattern and the model of several streams equal those of transformers'
MusicGen, with the same tokens and the same weights.
"""

import pytest
import torch

from genai_tutorial import audio
from genai_tutorial.transformer import AttentionConfig, DecoderConfig
from tests.drawn import integers
from tests.parity.weights import both_kinds, renamed

transformers = pytest.importorskip("transformers")

STREAMS, VOCAB, WIDTH, LAYERS, LENGTH = 4, 30, 32, 2, 12

CONFIG = audio.MultiStreamConfig(
    DecoderConfig(
        VOCAB, LENGTH, WIDTH, LAYERS,
        attention=AttentionConfig(heads=4, positions="learned"), bias=True,
    ),
    audio.CodebookPattern.delayed(STREAMS),
)  # fmt: skip

# Their names on the left, ours on the right.
LAYER_NAMES = both_kinds({
    "self_attn_layer_norm": "attention_norm", "final_layer_norm": "feed_forward_norm",
}) | {
    "self_attn.q_proj.weight": "attention.query.weight",
    "self_attn.k_proj.weight": "attention.key.weight",
    "self_attn.v_proj.weight": "attention.value.weight",
    "self_attn.out_proj.weight": "attention.output.weight",
    "fc1.weight": "feed_forward.widen.weight",
    "fc2.weight": "feed_forward.output.weight",
}  # fmt: skip
NAMES = {
    f"model.decoder.layers.{layer}.{theirs}": f"blocks.{layer}.{ours}"
    for layer in range(LAYERS)
    for theirs, ours in LAYER_NAMES.items()
} | both_kinds({"model.decoder.layer_norm": "final_norm"})
for stream in range(STREAMS):
    their_name = f"model.decoder.embed_tokens.{stream}.weight"
    NAMES[their_name] = f"token_embeddings.{stream}.weight"


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    config = transformers.MusicgenDecoderConfig(
        vocab_size=VOCAB, max_position_embeddings=LENGTH, num_hidden_layers=LAYERS,
        ffn_dim=4 * WIDTH, num_attention_heads=4, hidden_size=WIDTH,
        num_codebooks=STREAMS, pad_token_id=VOCAB, bos_token_id=VOCAB,
        initializer_factor=0.2,
    )  # fmt: skip
    return transformers.MusicgenForCausalLM(config).eval()


def from_transformers(theirs) -> audio.MultiStreamLM:
    """Build our model with their weights; their layers have no biases, and their
    sinusoidal positions are a table like learned ones.
    """
    model = audio.MultiStreamLM(CONFIG)
    ours = {
        name: torch.zeros_like(weight) for name, weight in model.state_dict().items()
    }
    ours |= renamed(theirs, NAMES)
    ours["head.weight"] = torch.cat([head.weight for head in theirs.lm_heads])
    positions = theirs.model.decoder.embed_positions.weights
    ours["position_embedding.weight"] = positions[:LENGTH]
    model.load_state_dict(ours)
    return model.eval()


@pytest.mark.parametrize("steps", [4, 9])
def test_delay_equals_musicgens_pattern_mask(theirs, steps):
    """Their mask has a column of padding first, and needs room for the delays."""
    codes = integers(VOCAB, 2, STREAMS, steps, seed=steps)
    first = torch.full_like(codes[..., :1], VOCAB)
    _, mask = theirs.build_delay_pattern_mask(
        torch.cat((first, codes), dim=-1).flatten(0, 1), VOCAB, 1 + steps + STREAMS - 1
    )
    columns = audio.delay(codes, CONFIG.pattern, filler=VOCAB)
    expected = mask.view(2, STREAMS, -1)
    assert torch.equal(expected, torch.cat((first, columns), dim=-1))


def test_multi_stream_logits_equal_musicgens(theirs):
    model = from_transformers(theirs)
    columns = integers(VOCAB + 1, 2, STREAMS, LENGTH, seed=1)
    with torch.no_grad():
        expected = theirs(columns.flatten(0, 1)).logits.view(2, STREAMS, LENGTH, VOCAB)
        assert expected.std() > 0.1  # the weights matter
        assert torch.allclose(model(columns), expected, atol=1e-5)
