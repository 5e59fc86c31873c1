"""The codec: codes and back, the loss, and the distance between two waves."""

import math

import pytest
import torch

from genai_tutorial.audio import (
    SeanetConfig,
    WaveCodec,
    WaveCodecConfig,
    log_mel_distance,
    wave_codec_loss,
)
from genai_tutorial.audio.wave_codec import SeanetDecoder, SeanetEncoder

CONFIG = WaveCodecConfig(
    SeanetConfig(channels=4, strides=(4, 4, 8), dim=6), books=3, codes=8
)


def some_waves(samples=1280, batch=2):
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(samples) / CONFIG.rate
    pitch = 100 + 300 * torch.rand(batch, 1, generator=generator)
    return 0.3 * (2 * math.pi * pitch * time).sin()


@pytest.fixture
def codec():
    codec = WaveCodec(CONFIG, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        codec.quantizer.start(codec.vectors(some_waves(batch=4)), generator, steps=3)
    return codec


def test_decoded_codes_are_the_waves_of_the_forward_pass(codec):
    waves = some_waves()
    codec.eval()
    for books in (1, 3):
        codes = codec.encode(waves, books)
        assert codes.shape == (2, 10, books)
        torch.testing.assert_close(codec.decode(codes), codec(waves, books).waves)


def test_codec_returns_as_many_samples_as_it_was_given(codec):
    waves = some_waves(1000)
    assert codec.eval()(waves).waves.shape == waves.shape


def test_gradient_of_the_loss_reaches_the_encoder(codec):
    loss = wave_codec_loss(codec, some_waves(), torch.Generator().manual_seed(0))
    loss.backward()
    first = codec.encoder.layers[0].convolution.weight
    assert first.grad.abs().max() > 0
    assert all(weight.grad is not None for weight in codec.parameters())


@pytest.mark.slow
def test_loss_is_lower_for_a_codec_that_was_trained(codec):
    waves, generator = some_waves(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(codec.parameters(), 5e-3)
    losses = []
    for _ in range(15):
        loss = wave_codec_loss(codec, waves, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_loss_restarts_dead_entries(codec):
    for quantizer in codec.quantizer.books:
        quantizer.counts[0] = 0
        quantizer.codebook[0] = 1e3
    wave_codec_loss(codec, some_waves(), torch.Generator().manual_seed(0))
    assert all(book.codebook[0].abs().max() < 1e2 for book in codec.quantizer.books)


def test_log_mel_distance_is_the_logarithm_of_the_loudness_ratio():
    noise = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    assert log_mel_distance(noise / 2, noise) == pytest.approx(math.log(2), abs=1e-5)


def test_log_mel_distance_ignores_what_is_far_below_the_loudest_band():
    noise = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    noise[2000:] *= 1e-6
    silent = noise.clone()
    silent[2000:] = 0
    assert log_mel_distance(silent, noise) == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="must have the same shape"):
        log_mel_distance(noise[1:], noise)


def test_bit_rate_of_the_first_codebooks():
    assert CONFIG.bits_per_second(books=1) == 125 * 3
    assert CONFIG.bits_per_second() == 3 * 125 * 3


SEANET = SeanetConfig(channels=4, strides=(2, 3), dim=5)


def some_wave(samples, batch=1):
    return torch.randn(batch, 1, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("samples", [12, 13, 17, 18])
def test_encoder_makes_one_vector_for_each_hop_that_has_begun(samples):
    vectors = SeanetEncoder(SEANET, seed=0)(some_wave(samples))
    assert vectors.shape == (1, 5, -(-samples // SEANET.hop))


def test_decoder_makes_a_hop_of_samples_for_each_vector():
    wave = SeanetDecoder(SEANET, seed=0)(torch.randn(2, 5, 7))
    assert wave.shape == (2, 1, 7 * SEANET.hop)


def test_encoder_does_not_look_ahead():
    """A vector may depend on the samples of its hop and on earlier ones."""
    encoder = SeanetEncoder(SEANET, seed=0)
    wave = some_wave(60)
    changed = wave.clone()
    changed[..., 30:] += 1
    before, after = encoder(wave), encoder(changed)
    assert torch.equal(before[..., :5], after[..., :5])
    assert not torch.allclose(before[..., 5], after[..., 5])


def test_decoder_does_not_look_ahead():
    decoder = SeanetDecoder(SEANET, seed=0)
    vectors = torch.randn(1, 5, 8)
    changed = vectors.clone()
    changed[..., 4:] += 1
    before, after = decoder(vectors), decoder(changed)
    torch.testing.assert_close(before[..., :24], after[..., :24])
    assert not torch.allclose(before[..., 24:30], after[..., 24:30])


def test_networks_with_the_same_seed_are_equal():
    one, two = (SeanetEncoder(SEANET, seed=3)(some_wave(30)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, SeanetEncoder(SEANET, seed=4)(some_wave(30)))
