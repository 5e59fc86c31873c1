"""The command `genai-tutorial`: look at the book, train and sample its models, run,
hand out and grade its chapters.
"""

from genai_tutorial.cli.app import app, main

__all__ = ["app", "main"]
