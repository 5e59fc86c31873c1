"""Utilities for running anywhere: optional packages, cached and atomic files, records
of longer measurements, sound files, devices, seeds, progress bars, and a description
of the machine.
"""

from .cache import cache_folder, cached
from .device import choose_device
from .files import write_atomically
from .machine import describe_machine
from .optional_imports import package_folder, require
from .progress import progress_bar
from .records import (
    RECORDS,
    Part,
    keep_images,
    keep_record,
    record,
    recorded_images,
    run_parts,
)
from .seeds import seed_everything, torch_seed
from .sound_files import (
    SOUND_FORMATS,
    mp3_bytes,
    mp3_is_available,
    small_wav_bytes,
    write_sound,
)
