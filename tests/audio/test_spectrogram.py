import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.audio import (
    MelConfig,
    griffin_lim,
    log_mel_spectrogram,
    mel_to_wave,
    short_time_fourier_transform,
    spectral_convergence,
    whisper_features,
)
from genai_tutorial.audio.spectrogram import (
    LOWEST_MAGNITUDE,
    hertz_to_mel,
    inverse_short_time_fourier_transform,
    mel_filter_bank,
    mel_to_hertz,
)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) / 10


def tone(hertz: float, samples: int = 8000, rate: int = 16_000):
    return torch.sin(2 * torch.pi * hertz * torch.arange(samples) / rate) / 2


@pytest.mark.parametrize(("window", "hop"), [(512, 128), (400, 160), (64, 64)])
def test_short_time_fourier_transform_equals_torch_stft(window, hop):
    wave = noise(2, 3, 3001)
    expected = torch.stft(
        wave.flatten(0, 1),
        window,
        hop,
        window=torch.hann_window(window),
        return_complex=True,
    ).unflatten(0, (2, 3))
    torch.testing.assert_close(
        short_time_fourier_transform(wave, window, hop), expected
    )


@given(st.integers(300, 900), st.sampled_from([(64, 16), (64, 32), (100, 25)]))
@settings(max_examples=20)
def test_inverse_transform_restores_the_wave(samples, sizes):
    window, hop = sizes
    wave = noise(samples)
    spectrum = short_time_fourier_transform(wave, window, hop)
    samples = min(samples, hop * (spectrum.shape[-1] - 1))
    restored = inverse_short_time_fourier_transform(spectrum, hop, samples)
    torch.testing.assert_close(restored, wave[:samples], atol=1e-5, rtol=1e-4)


def test_inverse_transform_of_contradicting_columns_equals_torch_istft():
    spectrum = torch.complex(noise(2, 65, 12), noise(2, 65, 12, seed=1))
    expected = torch.istft(spectrum, 128, 32, window=torch.hann_window(128), length=300)
    ours = inverse_short_time_fourier_transform(spectrum, 32, 300)
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("samples", "window", "hop", "message"),
    [
        (100, 512, 128, "append silence"),
        (1000, 511, 128, "even number"),
        (1000, 512, 0, "hop at least 1"),
    ],
)
def test_short_time_fourier_transform_rejects_sizes(samples, window, hop, message):
    with pytest.raises(ValueError, match=message):
        short_time_fourier_transform(noise(samples), window, hop)


def test_inverse_transform_rejects_more_samples_than_columns_hold():
    spectrum = short_time_fourier_transform(noise(640), 64, 16)
    with pytest.raises(ValueError, match="cannot make 2000"):
        inverse_short_time_fourier_transform(spectrum, 16, 2000)
    with pytest.raises(ValueError, match="hop may be at most 32"):
        inverse_short_time_fourier_transform(spectrum, 40, 500)


def test_mel_scale_is_linear_below_one_kilohertz_and_invertible():
    hertz = torch.tensor([0.0, 100, 200, 999, 1000, 1001, 4000, 8000])
    torch.testing.assert_close(mel_to_hertz(hertz_to_mel(hertz)), hertz)
    low, high = hertz_to_mel(hertz[[1, 2]]), hertz_to_mel(hertz[[6, 7]])
    assert low[1] == pytest.approx(2 * low[0].item())
    octave = hertz_to_mel(torch.tensor([2000.0, 4000.0])).diff()
    assert high.diff().item() == pytest.approx(octave.item())


def test_mel_filters_have_equal_area_and_overlap():
    bank = mel_filter_bank(16_000, 4096, 40)
    areas = bank.sum(dim=1) * 16_000 / 4096
    torch.testing.assert_close(areas, torch.ones(40), atol=0.05, rtol=0)
    assert (bank[:-1] * bank[1:]).sum(dim=1).min() > 0
    with pytest.raises(ValueError, match="between two bins"):
        mel_filter_bank(16_000, 128, 80)


def test_log_mel_spectrogram_shows_a_tone_in_its_band_and_silence_as_floor():
    config = MelConfig()
    louder = log_mel_spectrogram(tone(1000), config).mean(dim=1)
    centres = mel_filter_bank(16_000, 512, 64).argmax(dim=1) * 16_000 / 512
    assert abs(centres[louder.argmax()] - 1000) < 60
    silence = log_mel_spectrogram(torch.zeros(4000), config)
    expected = torch.full_like(silence, LOWEST_MAGNITUDE).log()
    torch.testing.assert_close(silence, expected)
    assert silence.shape == (64, 4000 // 128 + 1)
    assert config.frames_per_second == 125


def test_whisper_features_span_eight_factors_of_ten():
    features = whisper_features(noise(2, 16_000))
    assert features.shape == (2, 80, 100)
    assert (features.amax(dim=(1, 2)) - features.amin(dim=(1, 2)) <= 2).all()


def test_griffin_lim_error_never_rises_without_momentum():
    magnitudes = short_time_fourier_transform(noise(4096), 128, 32).abs()
    errors = []
    for steps in (0, 1, 2, 4, 8, 16, 32):
        generator = torch.Generator().manual_seed(0)
        wave = griffin_lim(magnitudes, 32, generator, steps, momentum=0)
        errors.append(spectral_convergence(wave, magnitudes, 32).item())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.6 * errors[0]


def test_griffin_lim_momentum_reaches_a_lower_error():
    magnitudes = short_time_fourier_transform(tone(440) + noise(8000), 256, 64).abs()
    fast, slow = (
        spectral_convergence(
            griffin_lim(magnitudes, 64, torch.Generator().manual_seed(0), 32, momentum),
            magnitudes,
            64,
        )
        for momentum in (0.99, 0.0)
    )
    assert fast < slow
    with pytest.raises(ValueError, match="momentum must be"):
        griffin_lim(magnitudes, 64, torch.Generator(), 3, momentum=1.0)


def test_mel_to_wave_restores_pitch():
    config, generator = MelConfig(), torch.Generator().manual_seed(0)
    log_mels = log_mel_spectrogram(tone(800), config)
    wave = mel_to_wave(log_mels, config, generator)
    assert wave.shape == (128 * (log_mels.shape[1] - 1),)
    loudest = torch.fft.rfft(wave).abs().argmax() * 16_000 / len(wave)
    assert abs(loudest - 800) < 40
    with pytest.raises(ValueError, match="32 bands"):
        mel_to_wave(log_mels[:32], config, generator)


def test_spectral_convergence_of_silence_is_one():
    magnitudes = short_time_fourier_transform(noise(1000), 64, 16).abs()
    silence = spectral_convergence(torch.zeros(1000), magnitudes, 16)
    assert silence.item() == pytest.approx(1)
