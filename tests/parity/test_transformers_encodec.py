"""SEANet and the whole codec equal EnCodec's at random weights."""

import pytest
import torch
from torch import nn

from genai_tutorial.audio import SeanetConfig, WaveCodec, WaveCodecConfig
from tests.drawn import normal
from tests.parity.weights import same

pytest.importorskip("transformers")

CONFIG = WaveCodecConfig(
    SeanetConfig(channels=4, strides=(2, 4, 5), dim=6), books=4, codes=16
)


def layers_of(network: nn.Module, kinds: tuple[type, ...]) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


@pytest.fixture(scope="module")
def codecs():
    """Return our codec and theirs with the same weights; their LSTM adds nothing."""
    from transformers import EncodecConfig, EncodecModel

    theirs = EncodecModel(
        EncodecConfig(
            num_filters=4, upsampling_ratios=[5, 4, 2], hidden_size=6, codebook_dim=6,
            codebook_size=16, last_kernel_size=7, pad_mode="constant",
            norm_type="weight_norm", sampling_rate=16_000, target_bandwidths=[1.6 * 4],
        )
    ).eval()  # fmt: skip
    ours = WaveCodec(CONFIG, seed=0).eval()
    kinds = (nn.Conv1d, nn.ConvTranspose1d)
    with torch.no_grad():
        for half in ("encoder", "decoder"):
            mine, other = getattr(ours, half), getattr(theirs, half)
            pairs = zip(layers_of(mine, kinds), layers_of(other, kinds), strict=True)
            for layer, origin in pairs:
                assert layer.weight.shape == origin.weight.shape
                layer.weight.copy_(origin.weight)
                layer.bias.copy_(origin.bias)
            for lstm in layers_of(other, (nn.LSTM,)):
                for weight in lstm.parameters():
                    weight.zero_()
        for number, (layer, book) in enumerate(
            zip(theirs.quantizer.layers, ours.quantizer.books, strict=False)
        ):
            entries = normal(16, 6, seed=number) / (number + 1)
            layer.codebook.embed.copy_(entries)
            book.set_codebook(entries)
    return ours, theirs


def some_waves(samples=1600):
    return normal(2, samples, seed=5) / 3


@pytest.mark.parametrize("samples", [1600, 1613])
def test_encoder_equals_encodec(codecs, samples):
    ours, theirs = codecs
    waves = some_waves(samples)
    expected = theirs.encoder(waves[:, None])
    same(ours.vectors(waves).mT, expected)


def test_decoder_equals_encodec(codecs):
    ours, theirs = codecs
    vectors = normal(2, 6, 20, seed=6)
    expected = theirs.decoder(vectors)
    same(ours.decoder(vectors), expected)


def test_codes_and_decoded_waves_equal_encodec(codecs):
    ours, theirs = codecs
    waves = some_waves()
    codes = ours.encode(waves)
    books = theirs.quantizer.encode(theirs.encoder(waves[:, None]), None)[:4]
    assert torch.equal(codes.permute(2, 0, 1), books)
    expected = theirs.decoder(theirs.quantizer.decode(books))[:, 0]
    same(ours.decode(codes), expected, atol=1e-4, rtol=1e-4)
