"""The recipe of the autoencoder of pictures."""

import dataclasses

import pytest
import torch

from genai_tutorial.pretrained import RunSettings, image_autoencoder
from genai_tutorial.pretrained.image_autoencoder import EMOJI_AUTOENCODER, split
from genai_tutorial.training import Checkpoint, Process
from genai_tutorial.vae import ImageAutoencoderConfig

TINY = dataclasses.replace(
    EMOJI_AUTOENCODER, name="tiny", config=ImageAutoencoderConfig(width=8), scenes=20, steps=6, warmup_steps=2
)


def run(tmp_path, resume=False):
    checkpoint = Checkpoint(tmp_path / "tiny.run.safetensors", every=2, resume=resume)
    return TINY.fit(RunSettings(6, torch.device("cpu"), Process(), checkpoint, progress=False))


class Killed(Exception):
    pass


def test_a_run_that_was_stopped_ends_at_the_same_weights_and_scale(tmp_path, monkeypatch):
    expected = run(tmp_path / "whole").model.state_dict()
    calls, whole = iter(range(5)), image_autoencoder.image_autoencoder_loss

    def dies(*arguments, **settings):
        if next(calls, None) is None:
            raise Killed
        return whole(*arguments, **settings)

    monkeypatch.setattr(image_autoencoder, "image_autoencoder_loss", dies)
    with pytest.raises(Killed):
        run(tmp_path / "stopped")
    monkeypatch.setattr(image_autoencoder, "image_autoencoder_loss", whole)
    got = run(tmp_path / "stopped", resume=True).model
    assert all(torch.equal(got.state_dict()[key], weight) for key, weight in expected.items())
    assert expected["scaling_factor"] != 1

    built = TINY.build({"recipe": dataclasses.asdict(TINY)})
    assert {key: weight.shape for key, weight in built.state_dict().items()} == {
        key: weight.shape for key, weight in expected.items()
    }


def test_a_model_is_measured_on_emoji_of_other_families():
    train, held_out = split()
    assert set(train.families).isdisjoint(held_out.families)
    assert not any("skin tone" in name for name in train.names + held_out.names)
    metrics = TINY.measure(TINY.build({"recipe": dataclasses.asdict(TINY)}))
    assert metrics["held_out_emoji"] == len(held_out)
    assert metrics["scenes_read_as_captioned"] < 0.1  # it has learned nothing
    assert 0 < metrics["emoji_psnr_db"] < 10
