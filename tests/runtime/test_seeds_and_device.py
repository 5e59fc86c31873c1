import random

import numpy as np
import pytest
import torch

from genai_tutorial.runtime import choose_device, seed_everything


def _draw(seed):
    generator = seed_everything(seed)
    return (
        random.random(),
        np.random.rand(),  # noqa: NPY002
        torch.rand(1).item(),
        torch.rand(1, generator=generator).item(),
    )


def test_seed_everything_repeats_all_random_numbers():
    first, again, other = _draw(3), _draw(3), _draw(4)
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_seed_everything_returns_a_separate_generator():
    generator = seed_everything(0)
    torch.rand(10)
    assert torch.equal(
        torch.rand(2, generator=generator), torch.rand(2, generator=seed_everything(0))
    )


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True, "0"])
def test_seed_everything_refuses_a_bad_seed(seed):
    # the shape checker may refuse the type first
    with pytest.raises(Exception, match=r"seed|int"):
        seed_everything(seed)


def test_choose_device_always_has_the_cpu():
    assert choose_device("cpu") == torch.device("cpu")


def test_choose_device_prefers_cuda_then_cpu_never_mps(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device().type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device().type == "cuda"


def test_choose_device_uses_mps_when_named(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("mps").type == "mps"


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "", "tpu"])
def test_choose_device_lists_the_devices_present(name):
    with pytest.raises(
        ValueError,
        match=rf"There is no device '{name}' on this machine: choose one of cpu",
    ):
        choose_device(name)
