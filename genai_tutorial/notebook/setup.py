"""The set-up call of every chapter: seeds, threads, device and plotting style."""

import torch

from genai_tutorial.runtime import choose_device, seed_everything

from .environment import THREADS
from .figures import use_style


def setup(seed: int = 0) -> torch.device:
    """Seed everything, set the plotting style, and return the device to compute on: a
    CUDA GPU if there is one, otherwise the CPU.

    PyTorch uses one thread, however many cores there are, so that sums are computed in
    the same order everywhere and you see the same digits as in the book. Models as
    small as these gain little from more threads.
    """
    seed_everything(seed)
    torch.set_num_threads(THREADS)
    use_style()
    return choose_device()
