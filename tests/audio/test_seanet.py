"""SEANet: shapes, and that neither network looks ahead."""

import pytest
import torch

from genai_tutorial.audio import SeanetConfig
from genai_tutorial.audio.wave_codec import SeanetDecoder, SeanetEncoder

CONFIG = SeanetConfig(channels=4, strides=(2, 3), dim=5)


def some_wave(samples, batch=1):
    return torch.randn(batch, 1, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("samples", [12, 13, 17, 18])
def test_encoder_makes_one_vector_for_each_hop_that_has_begun(samples):
    vectors = SeanetEncoder(CONFIG, seed=0)(some_wave(samples))
    assert vectors.shape == (1, 5, -(-samples // CONFIG.hop))


def test_decoder_makes_a_hop_of_samples_for_each_vector():
    wave = SeanetDecoder(CONFIG, seed=0)(torch.randn(2, 5, 7))
    assert wave.shape == (2, 1, 7 * CONFIG.hop)


def test_encoder_does_not_look_ahead():
    """A vector may depend on the samples of its hop and on earlier ones."""
    encoder = SeanetEncoder(CONFIG, seed=0)
    wave = some_wave(60)
    changed = wave.clone()
    changed[..., 30:] += 1
    before, after = encoder(wave), encoder(changed)
    assert torch.equal(before[..., :5], after[..., :5])
    assert not torch.allclose(before[..., 5], after[..., 5])


def test_decoder_does_not_look_ahead():
    decoder = SeanetDecoder(CONFIG, seed=0)
    vectors = torch.randn(1, 5, 8)
    changed = vectors.clone()
    changed[..., 4:] += 1
    before, after = decoder(vectors), decoder(changed)
    torch.testing.assert_close(before[..., :24], after[..., :24])
    assert not torch.allclose(before[..., 24:30], after[..., 24:30])


def test_networks_with_the_same_seed_are_equal():
    one, two = (SeanetEncoder(CONFIG, seed=3)(some_wave(30)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, SeanetEncoder(CONFIG, seed=4)(some_wave(30)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strides": ()}, "there must be strides of at least 1"),
        ({"strides": (2, 0)}, "there must be strides of at least 1"),
        ({"channels": 3}, "channels must be even"),
        ({"dim": 0}, "dim and kernel at least 1"),
    ],
)
def test_seanet_settings_out_of_range_are_rejected(changes, message):
    settings = {"channels": 4, "strides": (2, 3), "dim": 5} | changes
    with pytest.raises(ValueError, match=message):
        SeanetConfig(**settings)
