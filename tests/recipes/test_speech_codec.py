"""The codec's recipe: resumable runs and its metrics."""

import dataclasses

import pytest
import torch

from genai_tutorial.audio import SeanetConfig, WaveCodecConfig
from genai_tutorial.recipes import RunSettings, speech_codec
from genai_tutorial.recipes.speech_codec import SPEECH_CODEC
from genai_tutorial.training import Checkpoint, process_group
from tests.recipes.spot_check import spot_check

pytest.importorskip("espeakng_loader")

TINY = dataclasses.replace(
    SPEECH_CODEC,
    config=WaveCodecConfig(SeanetConfig(4, (4, 4, 8), dim=4), books=2, codes=8),
    utterances=2,
    samples=1024,
    batch_size=2,
    steps=4,
    warmup_steps=1,
)


def run(path, resume=False, steps=4):
    with process_group(torch.device("cpu")) as process:
        checkpoint = Checkpoint(path, every=2, resume=resume)
        return TINY.fit(
            RunSettings(steps, torch.device("cpu"), process, checkpoint, False)
        )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "first").model


@pytest.mark.slow
def test_codec_run_is_repeatable(trained, tmp_path):
    again = run(tmp_path / "again").model
    for name, weight in trained.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


@pytest.mark.slow
def test_codec_metrics_have_a_distance_for_each_bit_rate(trained, monkeypatch):
    monkeypatch.setattr(speech_codec, "TESTED", 3)
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


def test_codec_fits_the_size_of_a_checkpoint():
    codec = SPEECH_CODEC.build()
    assert 2 * sum(weight.numel() for weight in codec.state_dict().values()) < 1.5e6
