"""Our encoder-decoder for speech against the transformers library's Whisper, with
random weights and no network.
"""

import pytest
import torch

from genai_tutorial.audio import ListenAndWrite, ListenAndWriteConfig
from genai_tutorial.multimodal import EncoderConfig

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=30, num_mel_bins=8, d_model=16, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=32,
        decoder_ffn_dim=32, max_source_positions=20, max_target_positions=12,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=3,
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():  # larger weights, so that tokens and sounds matter
        for parameter in model.parameters():
            parameter.mul_(1 if parameter.dim() == 1 else 8)
        model.model.encoder.embed_positions.weight.div_(8)
    return model


@pytest.fixture(scope="module")
def ours(theirs):
    config = ListenAndWriteConfig(
        EncoderConfig(width=16, layers=2, heads=4, feed_forward_width=32),
        vocab_size=30, mels=8, frames=40, context_length=12,
    )  # fmt: skip
    model = ListenAndWrite(config, seed=1).eval()
    encoder, decoder = theirs.model.encoder, theirs.model.decoder
    copy(model.first, encoder.conv1)
    copy(model.second, encoder.conv2)
    for block, layer in zip(model.encoder, encoder.layers, strict=True):
        copy_layer(block, layer)
    copy(model.encoder_norm, encoder.layer_norm)
    copy(model.token, decoder.embed_tokens)
    model.positions.weight.data.copy_(decoder.embed_positions.weight)
    for block, layer in zip(model.decoder, decoder.layers, strict=True):
        copy_layer(block, layer)
        copy_attention(block.cross_attention, layer.encoder_attn)
        copy(block.cross_attention_norm, layer.encoder_attn_layer_norm)
    copy(model.decoder_norm, decoder.layer_norm)
    return model


@torch.no_grad()
def copy(to, source):
    to.weight.copy_(source.weight)
    if getattr(to, "bias", None) is not None:
        to.bias.zero_() if source.bias is None else to.bias.copy_(source.bias)


def copy_attention(to, source):
    for name in ("query", "key", "value", "output"):
        theirs = {"query": "q_proj", "key": "k_proj", "value": "v_proj"}
        copy(getattr(to, name), getattr(source, theirs.get(name, "out_proj")))


def copy_layer(block, layer):
    copy_attention(block.attention, layer.self_attn)
    copy(block.attention_norm, layer.self_attn_layer_norm)
    copy(block.feed_forward_norm, layer.final_layer_norm)
    copy(block.feed_forward.widen, layer.fc1)
    copy(block.feed_forward.output, layer.fc2)


def test_listen_and_write_has_the_logits_of_transformers_whisper(ours, theirs):
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(3, 8, 40, generator=generator)
    ids = torch.randint(3, 30, (3, 7), generator=generator)
    with torch.no_grad():
        wanted = theirs(input_features=features, decoder_input_ids=ids).logits
        assert torch.allclose(ours(features, ids), wanted, atol=1e-5)
        # a changed sound changes the logits, so the comparison is not of constants
        assert not torch.allclose(ours(-features, ids), wanted, atol=1e-2)


def test_sine_positions_are_those_of_transformers_whisper(ours, theirs):
    wanted = theirs.model.encoder.embed_positions.weight
    assert torch.allclose(ours.waves, wanted, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_greedy_transcript_is_that_of_transformers_generate(ours, theirs, seed):
    features = torch.randn(1, 8, 40, generator=torch.Generator().manual_seed(seed))
    wanted = theirs.generate(
        input_features=features, max_new_tokens=6, num_beams=1, do_sample=False
    )[0].tolist()
    got = ours.transcribe(features[0], start=[3], end=2, most=6)
    assert got == [token for token in wanted if token != 3]
