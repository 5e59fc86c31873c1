"""The first line of every chapter: the same seeds, threads, device and plotting style
for every reader.
"""

import torch

from genai_tutorial.notebook.environment import THREADS
from genai_tutorial.notebook.style import use_style
from genai_tutorial.runtime import choose_device, seed_everything


def setup(seed: int = 0) -> torch.device:
    """Seed everything, set the plotting style, and return the device to compute on: a
    CUDA GPU, else the CPU.

    One thread, however many cores there are: sums are then added in the same order
    everywhere, so that you see the digits that the book shows. Models as small as ours
    gain little from more.
    """
    seed_everything(seed)
    torch.set_num_threads(THREADS)
    use_style()
    return choose_device()
