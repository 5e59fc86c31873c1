"""Helpers for chapters: set-up, source listings, claims, figures, sliders, and models
that run in the page.
"""

from genai_tutorial.notebook.browser_model import (
    Answerer,
    BrowserChat,
    BrowserModel,
    BrowserNextToken,
    pack_published,
)
from genai_tutorial.notebook.browser_tokens import BrowserTokens
from genai_tutorial.notebook.claims import ClaimError, claim
from genai_tutorial.notebook.environment import executed_for_the_book
from genai_tutorial.notebook.figures import image_grid, show
from genai_tutorial.notebook.frames import Frames
from genai_tutorial.notebook.setup import setup
from genai_tutorial.notebook.sound import Sound, Sounds
from genai_tutorial.notebook.source import show_source
from genai_tutorial.notebook.style import COLORS, use_style

__all__ = [
    "COLORS",
    "Answerer",
    "BrowserChat",
    "BrowserModel",
    "BrowserNextToken",
    "BrowserTokens",
    "ClaimError",
    "Frames",
    "Sound",
    "Sounds",
    "claim",
    "executed_for_the_book",
    "image_grid",
    "pack_published",
    "setup",
    "show",
    "show_source",
    "use_style",
]
