"""Utilities for running anywhere: optional packages, cached and atomic files, devices,
seeds, progress bars, and a description of the machine.
"""

from .cache import cache_folder, cached
from .device import choose_device
from .files import remove_unfinished, write_atomically
from .machine import describe_machine
from .optional_imports import package_folder, require
from .progress import progress_bar
from .seeds import seed_everything, torch_seed
