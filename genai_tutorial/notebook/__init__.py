"""Helpers for chapters: set-up, source listings, claims, figures, sliders and
buttons.
"""

from .captions import schematic, show
from .chapters import (
    Chapter,
    Row,
    chapters,
    find_repository,
    scoreboard,
    spoken_seconds,
    unnumbered_pages,
)
from .claims import Measured, claim
from .execute import Executed, ExecutionError, execute
from .figures import COLORS, image_grid
from .frames import Frames, Play, Press
from .renumber import renumber
from .setup import setup
from .sound import Sound, Sounds
from .source import show_source
