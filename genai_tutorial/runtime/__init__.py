"""Utilities for running anywhere: optional packages, cached and atomic files, records
of longer measurements, sound files, devices, seeds, progress bars, and descriptions
of the machine and of where the package comes from.
"""

from .files import cache_folder, cached, remove_unfinished, write_atomically
from .machine import (
    choose_device,
    describe_machine,
    install_command,
    package_folder,
    progress_bar,
    repository_address,
    repository_branch,
    require,
    seed_everything,
    torch_seed,
)
from .records import (
    RECORDS,
    MeasuredPart,
    keep_images,
    keep_record,
    read_json,
    record,
    recorded_images,
    run_parts,
)
from .sound_files import mp3_bytes, mp3_is_available, small_wav_bytes, write_sound
