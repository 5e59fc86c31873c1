"""The recipe of the model that answers questions about scenes."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from genai_tutorial.multimodal import (
    ImageReader,
    VisionLanguageConfig,
    without_last_block,
)
from genai_tutorial.recipes import SHAPES_VLM, RunSettings, load, shapes_vlm
from genai_tutorial.recipes.recipe import build
from genai_tutorial.recipes.shapes_vlm import optimizer_with_encoder
from genai_tutorial.tasks.scene_questions import QUESTION_TOKENIZER, ConversationBatches
from genai_tutorial.training import Checkpoint, Process
from genai_tutorial.transformer import DecoderConfig
from tests.recipes.spot_check import spot_check

TINY = replace(
    SHAPES_VLM,
    name="tiny",
    config=VisionLanguageConfig(
        SHAPES_VLM.config.image,
        DecoderConfig.fast(
            QUESTION_TOKENIZER.vocab_size, 128, 16, 1, 2, convolution_size=0
        ),
    ),
    batch_size=4,
)


def settings(folder, steps, every=2, resume=False):
    checkpoint = Checkpoint(folder / "run.safetensors", every=every, resume=resume)
    cpu = torch.device("cpu")
    return RunSettings(steps, cpu, Process(0, 1), checkpoint, progress=False)


def test_conversation_batches_fit_into_the_context_window():
    batches = ConversationBatches(64, seed=0, kinds=9)
    ids = next(batches)[1]
    longest = SHAPES_VLM.config.image.patches + ids.shape[1]
    assert longest <= SHAPES_VLM.config.decoder.context_length


@pytest.mark.slow
def test_training_starts_from_the_image_encoder_of_clip(tmp_path):
    frozen = replace(TINY, encoder_rate=0.0, ema_decay=None)
    trained = frozen.fit(settings(tmp_path, steps=1)).model.image_encoder
    encoder = without_last_block(load("shapes-clip").model.image_encoder)
    for name, weight in encoder.state_dict().items():
        assert torch.equal(trained.state_dict()[name], weight), name


def test_the_image_encoder_learns_at_its_own_rate():
    model = TINY.build()
    optimizer = optimizer_with_encoder(model, TINY.optimizer, 0.1)
    rates = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            rates[parameter] = group["lr"]
    encoder = model.image_encoder.encoder[0].attention.query.weight
    decoder = model.decoder.blocks[0].attention.query.weight
    assert rates[encoder] == pytest.approx(0.1 * rates[decoder])
    optimizer_with_encoder(model, TINY.optimizer, 0.0)
    assert not encoder.requires_grad
    with pytest.raises(ValueError, match="encoder_rate must be 0 or more"):
        optimizer_with_encoder(model, None, -1.0)


@pytest.mark.slow
def test_a_stopped_run_ends_at_the_same_weights(tmp_path):
    whole = TINY.fit(settings(tmp_path / "whole", steps=4)).model.state_dict()
    half = settings(tmp_path / "half", 4)

    class Stopped(Exception):
        pass

    steps, original = iter(range(3)), shapes_vlm.conversation_loss

    def stop(*arguments):
        if next(steps, None) is None:
            raise Stopped
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes_vlm, "conversation_loss", stop)
        with pytest.raises(Stopped):
            TINY.fit(half)
    again = settings(tmp_path / "half", 4, resume=True)
    resumed = TINY.fit(again).model.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_shapes_vlm_loads_from_its_card():
    card = {"recipe": asdict(SHAPES_VLM), "tokenizer": QUESTION_TOKENIZER.to_dict()}
    card = json.loads(json.dumps(card))
    model = build(SHAPES_VLM, card)
    assert model.config == SHAPES_VLM.config
    assert SHAPES_VLM.wrap(model, card) == ImageReader(model, QUESTION_TOKENIZER)
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert 2 * weights < 2_000_000  # bytes in the file


def test_an_untrained_model_measures_nothing_but_chance(monkeypatch):
    monkeypatch.setattr(shapes_vlm, "N_EVAL_PICTURES", 60)
    metrics = TINY.measure(TINY.build())
    assert metrics["pictures"] == 60
    for split in ("unseen", "new_pairs"):
        assert metrics[split]["all"] < 0.3
        assert metrics[split]["captions"] == 0
    assert "asked_for_new_pairs" in metrics["new_pairs"]
    assert "asked_for_new_pairs" not in metrics["unseen"]
    assert "of questions about unseen pictures" in TINY.summary(metrics)
    check = spot_check(TINY, ImageReader(TINY.build(), QUESTION_TOKENIZER), 20, seed=0)
    assert len(check.values) == 20
    assert check.metric == "unseen.all"
