"""Tokenization: text into the numbers that a language model reads, and back."""

from genai_tutorial.tokenization.characters import CharacterTokenizer

__all__ = ["CharacterTokenizer"]
