"""The table of models that `genai-tutorial models` prints and commands are checked by,
from `models.txt`.
"""

import re
from pathlib import Path
from typing import NamedTuple


class ModelRow(NamedTuple):
    """What is known of a recipe before torch is loaded: its kind of output, chapter,
    number of parameters, purpose, options with their smallest and largest values, and
    an example command. A test holds `models.txt` equal to the recipes.
    """

    makes: str
    chapter: str
    size: str
    purpose: str
    options: str
    command: str

    @property
    def ranges(self) -> dict[str, str]:
        """The range of each option; empty for a text, with a point for fractions."""
        return dict(re.findall(r"(\w+)(?:\[(.*?)\])?", self.options))


_LINES = Path(__file__).with_name("models.txt").read_text("utf8").splitlines()
_ROWS = ([field.strip() for field in line.split("|")] for line in _LINES)
MODELS = {name: ModelRow(*rest) for name, *rest in _ROWS}
