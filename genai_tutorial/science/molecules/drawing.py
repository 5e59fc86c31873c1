"""Structural formulas, drawn by RDKit."""

import io
from collections.abc import Sequence

from PIL import Image

from genai_tutorial.runtime import require

from .properties import EXTRA, parse_smiles


def draw_molecules(
    molecules: Sequence[str],
    *,
    columns: int = 4,
    captions: Sequence[str] = (),
    side: int = 180,
) -> Image.Image:
    """Draw a grid of structural formulas, in black on white.

    Args:
        molecules: Valid SMILES strings.
        columns: The number of molecules in a row.
        captions: A text below each molecule; none if empty.
        side: Width and height of each molecule, in pixels.

    Raises:
        ValueError: If there are no molecules, a string is no molecule, or the number of
            captions is not that of the molecules.

    >>> draw_molecules(["CCO", "CCN"], side=100).size
    (200, 100)
    """
    if not molecules or columns < 1:
        raise ValueError(
            "There must be at least one molecule and one column, got "
            f"{len(molecules)} and {columns}."
        )
    if captions and len(captions) != len(molecules):
        raise ValueError(
            f"There must be a caption for each of the {len(molecules)} molecules, or "
            f"none; got {len(captions)}."
        )
    drawing = require("rdkit.Chem.Draw.rdMolDraw2D", EXTRA)
    columns = min(columns, len(molecules))
    rows = -(-len(molecules) // columns)
    canvas = drawing.MolDraw2DCairo(columns * side, rows * side, side, side)
    canvas.drawOptions().useBWAtomPalette()
    canvas.drawOptions().drawMolsSameScale = False
    canvas.drawOptions().minFontSize = 12
    canvas.DrawMolecules(
        [parse_smiles(smiles) for smiles in molecules], legends=list(captions) or None
    )
    canvas.FinishDrawing()
    return Image.open(io.BytesIO(canvas.GetDrawingText())).convert("RGB")
