"""The command `genai-tutorial`: train and sample the book's models, and execute, assign
and grade its chapters.
"""

from .app import app, main
