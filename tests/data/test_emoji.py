"""Emoji: unique images with names, and a split that keeps variants together."""

import re

import numpy as np
import pytest
import torch
from PIL import features

from genai_tutorial.data import NamedImages, load_emoji, load_emoji_split
from genai_tutorial.data.emoji import family
from genai_tutorial.runtime import require


@pytest.fixture(scope="module")
def emoji() -> NamedImages:
    return load_emoji()


def test_emoji_images_and_names_are_unique(emoji):
    assert 3500 < len(emoji) < 4500
    assert emoji.images.shape == (len(emoji), 3, 32, 32)
    assert len(set(emoji.names)) == len(emoji)
    pixels = (emoji.images * 255).round().to(torch.uint8).flatten(1).numpy()
    assert len(np.unique(pixels, axis=0)) == len(emoji)
    assert list(emoji.names) == sorted(emoji.names)


def test_emoji_names_are_plain_english(emoji):
    assert {"frog", "red apple", "woman detective", "France"} <= set(emoji.names)
    assert not [name for name in emoji.names if re.search("[:_]|^ | $", name)]
    # Of two names for one image, the shorter one is kept.
    assert "Clipperton Island" not in emoji.names


def test_emoji_images_are_coloured_on_white(emoji):
    by_name = dict(zip(emoji.names, emoji.images, strict=True))
    assert (emoji.images.amin(dim=(1, 2, 3)) < 0.95).all()  # none is empty
    assert (
        emoji.images[:, :, ::31, ::31].flatten(1).mean(dim=1) == 1
    ).float().mean() > 0.9  # corners are white
    for name, channel in (("red circle", 0), ("green circle", 1), ("blue circle", 2)):
        middle = by_name[name][:, 14:18, 14:18].mean(dim=(1, 2))
        assert middle.argmax() == channel
    assert by_name["black large square"].mean() < by_name["white large square"].mean()


def test_emoji_sequences_render_as_one_image(emoji):
    # Without joining, a woman and a microscope would be drawn side by side and cut off.
    scientist = emoji.images[emoji.names.index("woman scientist")]
    assert (scientist[:, :, [0, 31]] > 0.99).all()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("man detective dark skin tone", "detective"), "detective"),
        (("woman detective medium-light skin tone",), "detective"),
        (("red heart", "light blue heart", "black heart"), "heart"),
        (("three o’clock", "ten-thirty"), "clock"),
        (("man", "girl medium skin tone", "person"), "person"),
        (("merman", "mermaid dark skin tone", "merperson"), "mermaid"),
        (("person walking facing right", "woman walking"), "walking"),
        (("old man", "older person"), "old"),
        (("fire engine",), "fire engine"),
        (("redwood", "blackbird"), None),  # they merely start with a colour
    ],
)
def test_emoji_families_group_variants(names, expected):
    for name in names:
        assert family(name) == (name if expected is None else expected)


def test_emoji_split_keeps_families_together_and_has_each_person_once(emoji):
    train, held_out = load_emoji_split()
    names = train.names + held_out.names
    assert set(train.families).isdisjoint(held_out.families)
    assert set(names) == {name for name in emoji.names if "skin tone" not in name}
    assert 1500 < len(names) == len(set(names)) < 2200
    assert 0.05 < len(held_out) / len(names) < 0.15
    for part in (train, held_out):
        places = [emoji.names.index(name) for name in part.names[:50]]
        assert places == sorted(places)
        assert torch.equal(part.images[:50], emoji.images[places])


def test_emoji_requires_pillow_with_text_shaping(monkeypatch, tmp_path):
    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path))
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(ImportError, match="no libraqm"):
        load_emoji()


def test_emoji_names_match_package(emoji):
    listed = require("emoji", extra="images").EMOJI_DATA
    names = {entry["en"].strip(":").replace("_", " ") for entry in listed.values()}
    assert set(emoji.names) <= names
