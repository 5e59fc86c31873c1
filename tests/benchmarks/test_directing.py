"""The parts of the record of directed images."""

import pytest
import torch

from benchmarks.directing_words import described, five_examples, nearer
from genai_tutorial.recipes import load
from genai_tutorial.runtime import record


def test_examples_of_the_new_word_have_no_cross_and_three_captions_each():
    latents, texts = five_examples(load("shapes-latent"), 0)
    assert latents.shape == (15, 4, 8, 8)
    assert len(texts) == 15
    assert all("pink" in text and "cross" not in text for text in texts)
    assert torch.equal(latents[0], latents[2])
    assert len(described("pink")) == 40


def test_nearer_is_one_for_the_images_themselves():
    images = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert nearer(images, images) == 1.0
    assert nearer(images.roll(1, dims=0), images) < 1.0


def test_record_has_five_seeds_of_each_part():
    study = record("directing")
    for part in ("outlines", "edits", "emoji", "word"):
        assert len(study[part]) == 5, part
    for run in study["outlines"].values():
        assert run["autoencoder alone"]["everything"] == pytest.approx(1.0)
