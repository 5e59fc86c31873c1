"""`python -m genai_tutorial` is the command `genai-tutorial`."""

from genai_tutorial.cli import main

main()
