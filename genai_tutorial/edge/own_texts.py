"""The reader's own texts: the files of a folder, read in place."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

ENDINGS = (".txt", ".md", ".ipynb")


@dataclass(frozen=True)
class OwnText:
    """One file's prose.

    Attributes:
        name: The file's name.
        text: Its text; of a notebook, the Markdown cells.
    """

    name: str
    text: str


def book_prose() -> Path:
    """Return a folder with prose of this book, an example that every reader has: copies
    of chapters 1, 2 and 13, one file each, under the book's licence, CC BY 4.0.
    """
    return Path(__file__).parent / "prose"


def read_own_texts(folder: Path | str) -> tuple[OwnText, ...]:
    """Return the prose in a folder's .txt, .md and .ipynb files, by name; empty files
    are left out.

    Code is not prose: fenced blocks are removed, and of a notebook only the Markdown
    cells are read. Nothing in a file is executed.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no text, a file is not UTF-8, or a notebook is not JSON.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    texts = []
    for path in sorted(folder.iterdir()):
        if path.suffix in ENDINGS and path.is_file():
            try:
                text = path.read_text("utf-8")
                text = _markdown(text) if path.suffix == ".ipynb" else text
            except (UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{path.name} cannot be read: {error}") from error
            text = _without_code(text)
            if text:
                texts.append(OwnText(path.name, text))
    if not texts:
        raise ValueError(
            f"{folder} has no text in files that end in {', '.join(ENDINGS)}: put some "
            "of your own there, or name another folder."
        )
    return tuple(texts)


def _markdown(notebook: str) -> str:
    cells = json.loads(notebook)["cells"]
    return "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )


def _without_code(text: str) -> str:
    text = re.sub(r"^```.*?^```[^\n]*\n?", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
