"""A tiny model of molecules, untrained, and a few molecules."""

import pytest

from genai_tutorial.science.molecules import MoleculeModel, SmilesTokenizer
from genai_tutorial.transformer import AttentionConfig, DecoderConfig, DecoderLM

MOLECULES = ("CCO", "CCN", "c1ccccc1", "CC(=O)O", "Cc1ccccc1", "OCCN")


@pytest.fixture
def molecules() -> tuple[str, ...]:
    return MOLECULES


@pytest.fixture
def chains() -> MoleculeModel:
    """A model that writes chains of three elements: most of its strings are valid."""
    tokenizer = SmilesTokenizer(("C", "N", "O"), ("<low>", "<high>"))
    config = DecoderConfig(
        tokenizer.vocab_size,
        context_length=12,
        width=16,
        layers=1,
        attention=AttentionConfig(heads=2),
    )
    return MoleculeModel(DecoderLM(config, seed=0), tokenizer)
