"""A tiny model of molecules, untrained, and a few molecules."""

import pytest

from genai_tutorial.science.molecules import MoleculeModel, SmilesTokenizer
from genai_tutorial.transformer import AttentionConfig, DecoderConfig, DecoderLM


@pytest.fixture
def molecules() -> tuple[str, ...]:
    return ("CCO", "CCN", "c1ccccc1", "CC(=O)O", "Cc1ccccc1", "OCCN")


@pytest.fixture
def chains() -> MoleculeModel:
    """A model that writes chains of three elements: most of its strings are valid."""
    tokenizer = SmilesTokenizer(("C", "N", "O"), ("<low>", "<high>"))
    heads = AttentionConfig(heads=2)
    config = DecoderConfig(tokenizer.vocab_size, 12, 16, 1, attention=heads)
    return MoleculeModel(DecoderLM(config, seed=0), tokenizer)
