"""The parts of multimodal models equal the libraries': gated cross-attention equals
torch's attention times the gate, k-means equals scikit-learn's, and a stream of words
and image codes is a Llama over the joint vocabulary, or Chameleon with its norms.
"""

import numpy as np
import pytest
import torch
from torch import nn

from genai_tutorial.multimodal import StreamModel, StreamVocabulary
from genai_tutorial.multimodal.image_reader import GatedCrossAttention
from genai_tutorial.transformer import DecoderConfig
from genai_tutorial.vae import k_means
from tests.drawn import normal, stirred
from tests.parity.weights import llama_names, llama_settings, same


def test_gated_cross_attention_equals_torchs_attention_times_the_gate():
    ours = GatedCrossAttention(width=12, heads=3, source_width=8)
    theirs = nn.MultiheadAttention(12, 3, bias=False, kdim=8, vdim=8, batch_first=True)
    with torch.no_grad():
        ours.attention_gate.fill_(0.7)
        theirs.q_proj_weight.copy_(ours.attention.query.weight)
        theirs.k_proj_weight.copy_(ours.attention.key.weight)
        theirs.v_proj_weight.copy_(ours.attention.value.weight)
        theirs.out_proj.weight.copy_(ours.attention.output.weight)
    x, image = normal(2, 5, 12), normal(2, 9, 8, seed=1)
    read = ours.attention_norm(x)
    expected = x + theirs(read, image, image)[0] * torch.tensor(0.7).tanh()
    same(ours(x, image), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_k_means_equals_scikit_learns(seed):
    cluster = pytest.importorskip("sklearn.cluster")
    points = normal(300, 4, seed=seed)
    first = points[:12]
    theirs = cluster.KMeans(
        12, init=first.numpy(), n_init=1, max_iter=100, tol=0.0, algorithm="lloyd"
    ).fit(points.numpy())
    ours = k_means(points, first, steps=100)
    assert np.bincount(theirs.labels_, minlength=12).min() > 0
    same(ours, torch.from_numpy(theirs.cluster_centers_))


VOCABULARY = StreamVocabulary(words=20, codes=16)
LLAMA = DecoderConfig.llama(VOCABULARY.size, 40, 16, 2, 2, 2, 24, rotary_base=10_000)


def stream_pair(theirs):
    ours = stirred(StreamModel(LLAMA, VOCABULARY), 1)
    weights, state = ours.decoder.state_dict(), theirs.state_dict()
    names = llama_names(LLAMA.layers)
    theirs.load_state_dict(state | {name: weights[names[name]] for name in names})
    return ours.eval(), theirs.eval()


def stream_inputs():
    generator = torch.Generator().manual_seed(2)
    codes = torch.randint(16, (2, 9), generator=generator)
    return codes, torch.randint(20, (2, 6), generator=generator)


def compare_streams(ours, theirs, tokens):
    codes, ids = stream_inputs()
    row = torch.cat([VOCABULARY.image(codes), ids], dim=1)
    with torch.no_grad():
        mine = ours.read(codes, ids)
        expected = theirs(input_ids=row).logits[:, -ids.shape[1] :]
    same(mine[..., :tokens], expected[..., :tokens])


def test_a_stream_equals_a_llama_over_the_joint_vocabulary():
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(**llama_settings(LLAMA))
    pair = stream_pair(transformers.LlamaForCausalLM(config))
    compare_streams(*pair, VOCABULARY.size)


def test_a_stream_with_chameleons_norms_equals_chameleon():
    """Chameleon writes words only, so its logits of the image codes are masked."""
    transformers = pytest.importorskip("transformers")
    codes = {
        f"IMGIMG{'ABCDEFGHIJKLMNOP'[code]}Z": VOCABULARY.first_code + code
        for code in range(VOCABULARY.codes)
    }
    words = {f"word{word}": word for word in range(VOCABULARY.words)}
    edges = {"<image>": VOCABULARY.image_start, "</image>": VOCABULARY.image_end}
    config = transformers.ChameleonConfig(
        **llama_settings(LLAMA), vocabulary_map=words | edges | codes,
        vq_config={
            "embed_dim": 4, "num_embeddings": VOCABULARY.codes, "latent_channels": 4,
            "resolution": 8, "base_channels": 32, "channel_multiplier": [1],
            "num_res_blocks": 1,
        },
    )  # fmt: skip
    ours, theirs = stream_pair(transformers.ChameleonForConditionalGeneration(config))
    # LayerNorm in each head, for both at their initial gains
    for block in ours.decoder.blocks:
        block.attention.query_norm = nn.LayerNorm(LLAMA.head_width)
        block.attention.key_norm = nn.LayerNorm(LLAMA.head_width)
    compare_streams(ours, theirs, VOCABULARY.words)
