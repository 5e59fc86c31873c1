"""The codec's recipe: resumable runs and its metrics."""

import dataclasses

import pytest

from genai_tutorial.audio import SeanetConfig, WaveCodecConfig
from genai_tutorial.recipes import speech_codec
from genai_tutorial.recipes.speech_codec import SPEECH_CODEC
from tests.recipes.spot_check import spot_check

pytest.importorskip("espeakng_loader")

TINY = dataclasses.replace(
    SPEECH_CODEC,
    config=WaveCodecConfig(SeanetConfig(4, (4, 4, 8), dim=4), books=2, codes=8),
    utterances=2,
    samples=1024,
    batch_size=2,
    steps=6,
    warmup_steps=1,
)


@pytest.mark.slow
def test_codec_run_resumes_and_has_a_distance_for_each_bit_rate(resumes, monkeypatch):
    monkeypatch.setattr(speech_codec, "TESTED", 3)
    trained = resumes(TINY, speech_codec, "wave_codec_loss").model
    metrics = TINY.measure(trained)
    assert list(metrics["log_mel_distances"]) == [
        "375 bits per second",
        "750 bits per second",
    ]
    assert "750 bits per second" in TINY.summary(metrics)
    check = spot_check(TINY, trained, n=3, seed=0)
    assert sum(check.values) / 3 == pytest.approx(metrics["log_mel_distance"], abs=1e-3)


def test_codec_optimizer_gives_kernels_to_muon_and_everything_else_to_adamw():
    codec = TINY.build()
    kernels, rest = TINY._optimizer(codec).optimizers
    shapes = [
        weight.shape for group in kernels.param_groups for weight in group["params"]
    ]
    assert shapes
    assert all(min(shape[:2]) > 1 for shape in shapes)
    count = sum(len(o.param_groups[0]["params"]) for o in (kernels, rest))
    assert count == len(list(codec.parameters()))
