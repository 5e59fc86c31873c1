"""Fixtures shared by many tests."""

import pytest


@pytest.fixture(scope="session")
def smollm2():
    """SmolLM2 in float32 and its tokenizer, loaded once per run.

    If it is not installed, the test fails with instructions. Tests must not modify the
    model, because they share it.
    """
    from genai_tutorial.pretrained.smollm2 import load_smollm2

    return load_smollm2()
