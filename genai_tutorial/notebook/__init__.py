"""Helpers for chapters: set-up, source listings, claims, figures, sliders, buttons, and
models that run in the page.
"""

from .browser_box import BrowserBox, EmbeddedBox
from .browser_model import (
    Answerer,
    BrowserChat,
    BrowserModel,
    BrowserNextToken,
    pack_published,
)
from .browser_tokens import BrowserTokens
from .chapters import (
    Chapter,
    chapters,
    find_repository,
    spoken_seconds,
    unnumbered_pages,
)
from .claims import Measured, claim
from .execute import Executed, execute
from .figures import image_grid, show
from .frames import Frames
from .kernel import ExecutionError
from .play import Play, Press
from .scoreboard import Row, scoreboard
from .setup import setup
from .sound import Sound, Sounds
from .source import show_source
from .style import COLORS
