"""A description of the kind of machine that a number was measured on, without its
name.
"""

import platform
from pathlib import Path

import torch


def describe_machine(device: torch.device | None = None) -> dict[str, str | int]:
    """Return the processor, the number of threads and the versions that a measurement
    depends on.

    Args:
        device: The device of the computation; None for the CPU.

    >>> sorted(describe_machine())
    ['processor', 'python', 'system', 'threads', 'torch']
    """
    on_gpu = device is not None and device.type == "cuda"
    return {
        "processor": torch.cuda.get_device_name(device) if on_gpu else _processor(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
