"""Fixtures shared by many tests."""

import gc

import pytest
from hypothesis import settings

# No test is timed: on a busy machine a single example may take seconds.
settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Don't look for garbage while the tests are collected, nor in what that leaves:
    modules and tests stay until the end, and each search would go through all of them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(autouse=True)
def _seeded():
    """Seed PyTorch's global generator, so that a test that fails fails again."""
    import torch

    torch.default_generator.manual_seed(0)  # manual_seed also asks for every GPU


@pytest.fixture(scope="session")
def smollm2():
    """SmolLM2 in float32 and its tokenizer, loaded once per run.

    If it is not installed, the test fails with instructions. Tests must not modify the
    model, because they share it.
    """
    from genai_tutorial.pretrained import load_smollm2

    return load_smollm2()
