"""Models that run in the reader's browser: boxes that continue a text, answer
questions, show what comes next, or show a text as tokens.
"""

from .box import BrowserBox, EmbeddedBox
from .model import Answerer, BrowserChat, BrowserModel, BrowserNextToken, pack_published
from .tokens import BrowserTokens
