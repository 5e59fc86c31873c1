"""What many tests share."""

import pytest


@pytest.fixture(scope="session")
def smollm2():
    """SmolLM2 in 32 bits with its tokenizer, loaded once. Where it is missing, the test
    fails and says how to get it.

    Leave it as it is: other tests use the same model.
    """
    from genai_tutorial.pretrained.smollm2 import load_smollm2

    return load_smollm2()
