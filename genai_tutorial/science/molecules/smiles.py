"""SMILES strings: their tokens, drawings, and the first check that an invalid one
fails.
"""

import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, get_args

from PIL import Image

from genai_tutorial.runtime import require

from .properties import EXTRA, canonical_smiles, parse_smiles

PATTERN = re.compile(r"\[[^\]]+\]|Br|Cl|%\d\d|.")
"""A token: an atom in brackets with its charge and hydrogens, an element with two
letters, a ring number with two digits, or one character.
"""

SPECIAL_TOKENS = ("<pad>", "<start>", "<end>")


def split_smiles(smiles: str) -> list[str]:
    """Split a SMILES string into its tokens.

    >>> split_smiles("C[N+](C)(C)CCCl")
    ['C', '[N+]', '(', 'C', ')', '(', 'C', ')', 'C', 'C', 'Cl']
    """
    return PATTERN.findall(smiles)


@dataclass(frozen=True)
class SmilesTokenizer:
    """Maps SMILES strings to token ids and back.

    Attributes:
        labels: Names of tokens that can replace `<start>` to name the kind of molecule
            that follows.
        symbols: The tokens of the strings.
        start: The token before a molecule of any kind.
        end: The token that ends a molecule.

    Raises:
        ValueError: If a token occurs twice.

    >>> tokenizer = SmilesTokenizer.from_smiles(["CCO", "c1ccccc1Cl"])
    >>> tokenizer.symbols
    ('1', 'C', 'Cl', 'O', 'c')
    >>> tokenizer.encode("CCl"), tokenizer.decode([3 + 1, 3 + 2])
    ([4, 5], 'CCl')
    """

    symbols: tuple[str, ...]
    labels: tuple[str, ...] = ()
    start: ClassVar[int] = 1
    end: ClassVar[int] = 2

    def __post_init__(self):
        if len(set(self.tokens)) < len(self.tokens):
            twice = sorted({t for t in self.tokens if self.tokens.count(t) > 1})
            raise ValueError(f"Tokens must all be different, got {twice} twice.")

    @classmethod
    def from_smiles(
        cls, molecules: Iterable[str], labels: Sequence[str] = ()
    ) -> "SmilesTokenizer":
        """Use the distinct tokens of some SMILES strings, sorted."""
        symbols = {token for smiles in molecules for token in split_smiles(smiles)}
        return cls(tuple(sorted(symbols)), tuple(labels))

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """All tokens; the index of each is its id."""
        return (*SPECIAL_TOKENS, *self.labels, *self.symbols)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def vocab_size(self) -> int:
        """The number of tokens."""
        return len(self.tokens)

    @property
    def label_ids(self) -> tuple[int, ...]:
        """The ids of the labels."""
        first = len(SPECIAL_TOKENS)
        return tuple(range(first, first + len(self.labels)))

    def encode(self, smiles: str) -> list[int]:
        """Return the ids of a string's tokens, without start and end.

        Raises:
            ValueError: If the string has a token that is not among the symbols.
        """
        tokens = split_smiles(smiles)
        unknown = sorted(set(tokens) - set(self.symbols))
        if unknown:
            raise ValueError(
                f"{smiles} has tokens that are not in the vocabulary: {unknown}. The "
                f"symbols are: {' '.join(self.symbols)}."
            )
        return [self._number[token] for token in tokens]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the string of some ids; special tokens and labels are left out."""
        first = self.vocab_size - len(self.symbols)
        return "".join(self.tokens[token] for token in ids if token >= first)

    def to_dict(self) -> dict[str, list[str]]:
        """Return a dictionary for `from_dict` that JSON can store."""
        return {"symbols": list(self.symbols), "labels": list(self.labels)}

    @classmethod
    def from_dict(cls, saved: dict[str, list[str]]) -> "SmilesTokenizer":
        """Restore a tokenizer from the result of `to_dict`.

        Raises:
            ValueError: If the dictionary has another format.
        """
        if set(saved) != {"symbols", "labels"}:
            raise ValueError(
                "A saved tokenizer has the entries 'symbols' and 'labels', got "
                f"{sorted(saved)}."
            )
        return cls(tuple(saved["symbols"]), tuple(saved["labels"]))


_COLUMNS, _SIDE = 4, 180  # pixels


def draw_molecules(molecules: Sequence[str]) -> Image.Image:
    """Draw a grid of structural formulas, in black on white, four in a row.

    Raises:
        ValueError: If there are no molecules, or a string is no molecule.

    >>> draw_molecules(["CCO", "CCN"]).size
    (360, 180)
    """
    if not molecules:
        raise ValueError("There must be at least one molecule, got none.")
    drawing = require("rdkit.Chem.Draw.rdMolDraw2D", EXTRA)
    width = _SIDE * min(_COLUMNS, len(molecules))
    height = _SIDE * math.ceil(len(molecules) / _COLUMNS)
    canvas = drawing.MolDraw2DCairo(width, height, _SIDE, _SIDE)
    canvas.drawOptions().useBWAtomPalette()
    canvas.drawOptions().drawMolsSameScale = False
    canvas.drawOptions().minFontSize = 12
    canvas.DrawMolecules([parse_smiles(smiles) for smiles in molecules])
    canvas.FinishDrawing()
    return Image.open(io.BytesIO(canvas.GetDrawingText())).convert("RGB")


SmilesFailure = Literal["valid", "grammar", "aromaticity", "valence"]
"""The outcome of the checks: `grammar` for a ring or a bracket left open, `aromaticity`
for a ring of small letters without an arrangement of double bonds, `valence` for an
atom with too many bonds.
"""

FAILURES: tuple[SmilesFailure, ...] = get_args(SmilesFailure)
"""All outcomes, in the order of the checks."""


def smiles_failure(smiles: str) -> SmilesFailure:
    """Return the first check that a string does not pass, or `valid`.

    The grammar comes first, then the valence of each atom, then aromatic rings.

    >>> [smiles_failure(s) for s in ("CCO", "C1CC", "C(C)(C)(C)(C)C", "c1cccc1")]
    ['valid', 'grammar', 'valence', 'aromaticity']
    """
    if canonical_smiles(smiles) is not None:
        return "valid"
    chem = require("rdkit.Chem", EXTRA)
    with require("rdkit.rdBase", EXTRA).BlockLogs():
        molecule = chem.MolFromSmiles(smiles, sanitize=False) if smiles else None
        if molecule is None:
            return "grammar"
        problems = chem.DetectChemistryProblems(molecule)
    is_valence = any("Valence" in problem.GetType() for problem in problems)
    return "valence" if is_valence else "aromaticity"


def count_failures(samples: Iterable[str]) -> dict[SmilesFailure, int]:
    """Return how many strings have each outcome.

    >>> count_failures(["CCO", "C1CC", "CC"])
    {'valid': 2, 'grammar': 1, 'aromaticity': 0, 'valence': 0}
    """
    counts = Counter(map(smiles_failure, samples))
    return {failure: counts[failure] for failure in FAILURES}
