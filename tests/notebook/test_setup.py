import random

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from genai_tutorial.notebook import COLORS, setup
from genai_tutorial.runtime import choose_device


@pytest.fixture(autouse=True)
def _restore_state():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with pyplot.rc_context():
        yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


def draws() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]  # noqa: NPY002


def test_setup_seeds_every_random_generator():
    setup(seed=3)
    first = draws()
    setup(seed=3)
    assert draws() == first
    setup(seed=4)
    assert not set(draws()) & set(first)


def test_setup_sets_threads_and_style_and_returns_device():
    torch.set_num_threads(2)
    device = setup()
    assert torch.get_num_threads() == 1
    assert pyplot.rcParams["axes.prop_cycle"].by_key()["color"] == list(COLORS)
    assert device == choose_device()
