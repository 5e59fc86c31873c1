"""The recipe of the model that answers questions about scenes."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.multimodal import (
    ImageReader,
    VisionLanguageConfig,
    without_last_block,
)
from genai_tutorial.recipes import SHAPES_VLM, load, shapes_vlm
from genai_tutorial.recipes.shapes_vlm import optimizer_with_encoder
from genai_tutorial.tasks.scene_questions import QUESTION_TOKENIZER, ConversationBatches
from genai_tutorial.transformer import DecoderConfig
from tests.recipes.conftest import run_recipe
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
    steps=7,
    warmup_steps=1,
)


def test_conversation_batches_fit_into_the_context_window():
    batches = ConversationBatches(64, seed=0, kinds=9)
    ids = next(batches)[1]
    longest = SHAPES_VLM.config.image.patches + ids.shape[1]
    assert longest <= SHAPES_VLM.config.decoder.context_length


@pytest.mark.slow
def test_training_starts_from_the_image_encoder_of_clip(tmp_path):
    frozen = replace(TINY, encoder_rate=0.0, ema_decay=None, steps=1)
    trained = run_recipe(frozen, tmp_path).model.image_encoder
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


@pytest.mark.slow
def test_a_stopped_run_ends_at_the_same_weights(resumes):
    resumes(TINY, shapes_vlm, "conversation_loss")


def test_an_untrained_model_measures_nothing_but_chance(monkeypatch):
    monkeypatch.setattr(shapes_vlm, "N_EVAL_PICTURES", 60)
    metrics = TINY.measure(TINY.build())
    assert metrics["pictures"] == 60
    for split in ("unseen", "new_pairs"):
        assert metrics[split]["all"] < 0.3
        assert metrics[split]["captions"] == 0
    assert "asked_for_new_pairs" in metrics["new_pairs"]
    assert "asked_for_new_pairs" not in metrics["unseen"]
    assert "of answers about unseen images correct" in TINY.summary(metrics)
    check = spot_check(TINY, ImageReader(TINY.build(), QUESTION_TOKENIZER), 20, seed=0)
    assert len(check.values) == 20
    assert check.metric == "unseen.all"
