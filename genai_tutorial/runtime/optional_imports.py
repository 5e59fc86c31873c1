"""Optional packages: imported when they are used, with a clear message if they are
missing.
"""

import importlib
import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


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


def package_folder(package: str, extra: str) -> Path:
    """Return the folder where a package is installed, without running any of its
    code.

    Raises:
        ImportError: If the package is not installed; the message gives the line that
            installs it.
    """
    spec = _find(package, extra)
    if not spec.submodule_search_locations:
        raise ImportError(
            f"{package} has no folder of data: run pip install "
            f'"genai_tutorial[{extra}]" and try again'
        )
    return Path(spec.submodule_search_locations[0])


def _find(module: str, extra: str) -> ModuleSpec:
    package = module.partition(".")[0]
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ImportError(
            (
                f"{package} is not installed: run pip install "
                f'"genai_tutorial[{extra}]" and try again'
            ),
            name=package,
        )
    return spec
