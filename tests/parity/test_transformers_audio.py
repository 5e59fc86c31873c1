"""Spectrograms and the residual quantizer, equal to those of transformers."""

import numpy as np
import pytest
import torch

from genai_tutorial.audio import whisper_features
from genai_tutorial.audio.spectrogram import mel_filter_bank
from genai_tutorial.vae import ResidualVectorQuantizer, bits_per_second
from tests.drawn import normal

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("rate", "window", "mels"),
    [(16_000, 512, 64), (16_000, 400, 80), (24_000, 1024, 64)],
)
def test_mel_filter_bank_equals_transformers(rate, window, mels):
    from transformers.audio_utils import mel_filter_bank as expected

    theirs = expected(
        window // 2 + 1, mels, 0, rate / 2, rate, norm="slaney", mel_scale="slaney"
    )
    np.testing.assert_allclose(
        mel_filter_bank(rate, window, mels).numpy(), theirs.T, atol=1e-8
    )


@pytest.mark.parametrize("mels", [80, 128])
def test_whisper_features_equal_the_feature_extractor(mels):
    wave = normal(30 * 16_000) / 10
    wave[100_000:] = 0
    extractor = transformers.WhisperFeatureExtractor(feature_size=mels)
    theirs = extractor(wave.numpy(), sampling_rate=16_000).input_features[0]
    np.testing.assert_allclose(whisper_features(wave, mels).numpy(), theirs, atol=1e-5)


def test_residual_quantizer_equals_encodec():
    from transformers.models.encodec.modeling_encodec import (
        EncodecConfig,
        EncodecResidualVectorQuantizer,
    )

    config = EncodecConfig(codebook_size=32, codebook_dim=8, hidden_size=8)
    theirs = EncodecResidualVectorQuantizer(config)
    ours = ResidualVectorQuantizer(len(theirs.layers), 32, 8).eval()
    for number, (layer, book) in enumerate(zip(theirs.layers, ours.books, strict=True)):
        entries = normal(32, 8, seed=number) / (number + 1)
        layer.codebook.embed.copy_(entries)
        book.set_codebook(entries)
    vectors = normal(3, 50, 8, seed=99)
    codes = theirs.encode(vectors.transpose(1, 2))
    quantized = ours(vectors)
    assert torch.equal(quantized.indices.permute(2, 0, 1), codes)
    decoded = theirs.decode(codes).transpose(1, 2)
    torch.testing.assert_close(quantized.vectors, decoded, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(ours.decode(quantized.indices), decoded)
    # and the same number of codebooks for a bandwidth in kilobits per second
    books = theirs.get_num_quantizers_for_bandwidth(1.5)
    assert bits_per_second(config.frame_rate, books, 32) <= 1500
    assert bits_per_second(config.frame_rate, books + 1, 32) > 1500
