"""The data of the book: one module a source, read from installed packages, never downloaded.

Each loader is one function that returns tensors or strings; its module's `SOURCE` says where the data comes from and
what its licence allows, and `SOURCES` lists them all.
"""

from genai_tutorial.data import digits, emoji, faces, mnist, shakespeare, wikipedia
from genai_tutorial.data.bank import Sentence, load_bank_sentences
from genai_tutorial.data.cache import cache_folder, cached
from genai_tutorial.data.captions import (
    Description,
    ObjectDescription,
    all_captions,
    caption,
    caption_words,
    describe,
    full_captions,
    parse_caption,
)
from genai_tutorial.data.digits import load_digits
from genai_tutorial.data.emoji import NamedImages, family, load_emoji
from genai_tutorial.data.faces import load_faces
from genai_tutorial.data.images import Images
from genai_tutorial.data.mnist import load_mnist
from genai_tutorial.data.random_scenes import HELD_OUT_PAIRS, HELD_OUT_RELATIONS, random_scenes
from genai_tutorial.data.require import package_folder, require
from genai_tutorial.data.scenes import COLOURS, Scene, SceneObject, place, relation, render
from genai_tutorial.data.shakespeare import Plays, load_shakespeare
from genai_tutorial.data.shapes import CaptionedScenes, load_shapes
from genai_tutorial.data.source import Source
from genai_tutorial.data.wikipedia import Articles, load_wikipedia

SOURCES: tuple[Source, ...] = (
    digits.SOURCE,
    mnist.SOURCE,
    faces.SOURCE,
    emoji.SOURCE,
    shakespeare.SOURCE,
    wikipedia.SOURCE,
)

__all__ = [
    "COLOURS",
    "HELD_OUT_PAIRS",
    "HELD_OUT_RELATIONS",
    "SOURCES",
    "Articles",
    "CaptionedScenes",
    "Description",
    "Images",
    "NamedImages",
    "ObjectDescription",
    "Plays",
    "Scene",
    "SceneObject",
    "Sentence",
    "Source",
    "all_captions",
    "cache_folder",
    "cached",
    "caption",
    "caption_words",
    "describe",
    "family",
    "full_captions",
    "load_bank_sentences",
    "load_digits",
    "load_emoji",
    "load_faces",
    "load_mnist",
    "load_shakespeare",
    "load_shapes",
    "load_wikipedia",
    "package_folder",
    "parse_caption",
    "place",
    "random_scenes",
    "relation",
    "render",
    "require",
]
