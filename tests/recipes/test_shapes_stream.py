"""The recipe of the decoder that draws and answers in one stream."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.multimodal import StreamVocabulary
from genai_tutorial.recipes import shapes_stream
from genai_tutorial.recipes.shapes_stream import SHAPES_STREAM
from genai_tutorial.tasks.scene_questions import QUESTION_TOKENIZER
from genai_tutorial.transformer import DecoderConfig
from tests.recipes.conftest import run_recipe
from tests.recipes.spot_check import spot_check

CODES = 16
TINY = replace(
    SHAPES_STREAM,
    name="tiny",
    codes=CODES,
    pictures=40,
    batch_size=4,
    steps=2,
    warmup_steps=1,
    cooldown_steps=0,
    config=DecoderConfig.fast(
        StreamVocabulary(QUESTION_TOKENIZER.vocab_size, CODES).size,
        176,
        width=16,
        layers=1,
        heads=2,
        convolution_size=0,
    ),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run_recipe(TINY, tmp_path_factory.mktemp("run"))


@pytest.mark.slow
def test_a_trained_stream_draws_and_answers(trained, monkeypatch):
    monkeypatch.setattr(shapes_stream, "N_EVAL_DRAWN", 4)
    monkeypatch.setattr(shapes_stream, "N_EVAL_ASKED", 10)
    metrics = TINY.measure(trained.model.eval())
    assert metrics["drawn"] == 4
    assert 0 <= metrics["one_object_drawn_right"] <= 1
    assert 0 <= metrics["answered_right"] < 0.7
    assert "drawn correctly" in TINY.summary(metrics)
    loaded = TINY.wrap(trained.model, trained.notes)
    assert trained.model.codebook.abs().sum() > 0  # it travels with the weights
    check = spot_check(TINY, loaded, 8, seed=0)
    assert check.metric == "answered_right"
    options = replace(TINY.options, prompt="a red circle")
    images = TINY.sample(loaded, options, 3, seed=0).items
    assert images.shape == (3, 3, 32, 32)
    assert torch.equal(images, TINY.sample(loaded, options, 3, seed=0).items)
    assert not torch.equal(images, TINY.sample(loaded, options, 3, seed=1).items)
    with pytest.raises(ValueError, match="drawn"):
        TINY.sample(loaded, TINY.options, 1, seed=0)
