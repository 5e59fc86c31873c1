"""The chorale recipe: repeatable runs, its metrics and its sounds."""

import dataclasses

import pytest
import torch

from genai_tutorial.audio import MultiStreamConfig
from genai_tutorial.recipes import bach_chorales
from genai_tutorial.recipes.bach_chorales import LIVE
from genai_tutorial.recipes.sampling import set_options
from genai_tutorial.transformer import AttentionConfig, DecoderConfig
from tests.recipes.conftest import run_recipe
from tests.recipes.spot_check import spot_check

pytest.importorskip("music21")

TINY = dataclasses.replace(
    LIVE,
    config=MultiStreamConfig(
        DecoderConfig(
            LIVE.config.decoder.vocab_size,
            LIVE.config.decoder.context_length,
            width=8,
            layers=1,
            attention=AttentionConfig(heads=2),
        ),
        LIVE.config.pattern,
        LIVE.config.features,
    ),
    batch_size=2,
    steps=6,
    warmup_steps=1,
)


@pytest.mark.slow
def test_chorale_run_resumes(resumes):
    resumes(TINY, bach_chorales, "multi_stream_loss")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run_recipe(TINY, tmp_path_factory.mktemp("run"))


@pytest.mark.slow
def test_chorale_metrics_hold_bach_beside_the_samples(trained, monkeypatch):
    monkeypatch.setattr(bach_chorales, "SAMPLES", 4)
    metrics = TINY.measure(trained.model)
    assert metrics["held_out_nats_per_step"] > 4 * 2
    assert metrics["chord_share"]["bach"] > 0.8 > metrics["chord_share"]["sampled"]
    assert metrics["parallels_per_100"]["bach"] < 0.5
    assert "nats per step" in TINY.summary(metrics)
    check = spot_check(TINY, trained.model, n=10, seed=0)
    assert check.metric in metrics
    mean = sum(check.values) / 10
    assert mean == pytest.approx(metrics["held_out_nats_per_step"], rel=0.1)


@pytest.mark.slow
def test_chorale_sounds_last_eight_bars(trained):
    options = set_options(TINY, {"eighth": 0.05, "harmonize": 1})
    sounds = TINY.sample(trained.model, options, 2, seed=0).items
    assert sounds.shape == (2, round(64 * 0.05 * 16_000))
    assert float(sounds.abs().max()) == pytest.approx(0.8)
    other = TINY.sample(
        trained.model, set_options(TINY, {"eighth": 0.05}), 2, seed=0
    ).items
    assert not torch.equal(sounds, other)
