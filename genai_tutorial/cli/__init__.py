"""The command `genai-tutorial`: train and sample the book's models, and execute, assign
and grade its chapters.
"""

from genai_tutorial.cli.app import app, main

__all__ = ["app", "main"]
