"""Emoji: unique images with names, and a split that keeps variants together."""

import numpy as np
import pytest
import torch
from PIL import features

from genai_tutorial.data import NamedImages, load_emoji
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
    assert {
        "frog",
        "red apple",
        "fire engine",
        "pizza",
        "woman detective",
        "France",
    } <= set(emoji.names)
    assert not [
        name
        for name in emoji.names
        if ":" in name or "_" in name or name != name.strip()
    ]
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
        (
            (
                "woman detective",
                "man detective dark skin tone",
                "detective",
                "detective medium-light skin tone",
            ),
            "detective",
        ),
        (("red heart", "light blue heart", "black heart"), "heart"),
        (("three o’clock", "ten-thirty"), "clock"),
        (("man", "girl medium skin tone", "person"), "person"),
        (("merman", "mermaid dark skin tone", "merperson"), "mermaid"),
        (("person walking facing right", "woman walking"), "walking"),
        (("old man", "older person"), "old"),
        (("fire engine",), "fire engine"),
        (
            ("redwood", "blackbird"),
            None,
        ),  # words that merely start with a colour are kept
    ],
)
def test_emoji_families_group_variants(names, expected):
    for name in names:
        assert family(name) == (name if expected is None else expected)


def test_emoji_split_keeps_families_together_and_is_complete(emoji):
    train, test = emoji.split(test_share=0.2, seed=0)
    assert set(train.families).isdisjoint(test.families)
    assert sorted(train.names + test.names) == list(emoji.names)
    assert 0.1 < len(test) / len(emoji) < 0.3
    for part in (train, test):
        places = [emoji.names.index(name) for name in part.names[:50]]
        assert places == sorted(places)
        assert torch.equal(part.images[:50], emoji.images[places])


def test_emoji_split_depends_only_on_seed(emoji):
    torch.manual_seed(1)
    first = emoji.split(0.1, seed=3)[1].names
    torch.manual_seed(2)
    assert (
        emoji.split(0.1, seed=3)[1].names == first != emoji.split(0.1, seed=4)[1].names
    )


@pytest.mark.parametrize("share", [0.0, 1.0, 1e-9])
def test_emoji_split_rejects_empty_part(emoji, share):
    with pytest.raises(ValueError, match="must leave families on both sides"):
        emoji.split(share, seed=0)


def test_emoji_without_skin_tones_has_each_person_once(emoji):
    yellow = emoji.without_skin_tones()
    assert 1500 < len(yellow) < 2200
    assert not [name for name in yellow.names if "skin tone" in name]
    assert "woman detective" in yellow.names


def test_emoji_requires_pillow_with_text_shaping(monkeypatch, tmp_path):
    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path))
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(ImportError, match="no libraqm"):
        load_emoji()


def test_emoji_names_match_package(emoji):
    listed = require("emoji", extra="images").EMOJI_DATA
    names = {entry["en"].strip(":").replace("_", " ") for entry in listed.values()}
    assert set(emoji.names) <= names
