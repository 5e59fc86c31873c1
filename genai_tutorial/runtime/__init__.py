"""Utilities for running anywhere: optional packages, cached and atomic files, devices,
seeds, progress bars, and a description of the machine.
"""

from genai_tutorial.runtime.cache import cache_folder, cached
from genai_tutorial.runtime.device import choose_device
from genai_tutorial.runtime.files import write_atomically
from genai_tutorial.runtime.machine import describe_machine
from genai_tutorial.runtime.optional_imports import package_folder, require
from genai_tutorial.runtime.progress import progress_bar
from genai_tutorial.runtime.seeds import seed_everything, torch_seed

__all__ = [
    "cache_folder",
    "cached",
    "choose_device",
    "describe_machine",
    "package_folder",
    "progress_bar",
    "require",
    "seed_everything",
    "torch_seed",
    "write_atomically",
]
