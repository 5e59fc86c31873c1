"""Two generators without a model, which the usual metrics rate highly."""

from collections.abc import Sequence
from random import Random

from genai_tutorial.runtime import require

from .properties import EXTRA, canonical_smiles
from .smiles import split_smiles

ATTEMPTS = 200
"""Number of times that `add_carbon` tries to change one molecule."""


def add_carbon(molecules: Sequence[str], count: int, seed: int) -> list[str]:
    """Put one carbon atom into a training molecule, at a random place that gives a new
    valid molecule.

    Args:
        molecules: The canonical SMILES of the training data.
        count: The number of molecules to return, all different.
        seed: Seed of the molecules and places.

    Raises:
        ValueError: If there are fewer than `count` molecules to change.

    Source: Renz et al., On failure modes in molecule generation and optimization,
        section 2, https://doi.org/10.1016/j.ddtec.2020.09.003
    """
    random, known, made = Random(seed), set(molecules), {}
    for smiles in random.sample(molecules, len(molecules)):
        if len(made) == count:
            break
        tokens = split_smiles(smiles)
        for _ in range(ATTEMPTS):
            place = random.randint(0, len(tokens))
            longer = canonical_smiles("".join([*tokens[:place], "C", *tokens[place:]]))
            if longer is not None and longer not in known and longer not in made:
                made[longer] = None
                break
    if len(made) < count:
        raise ValueError(
            f"{len(molecules)} molecules gave {len(made)} new ones, {count} were asked "
            "for: give more molecules."
        )
    return [*made]


def random_selfies(molecules: Sequence[str], count: int, seed: int) -> list[str]:
    """Draw random SELFIES symbols and return them as SMILES.

    In SELFIES, every string of symbols is a valid molecule. Symbols and lengths are as
    frequent as in the training molecules; the order of the symbols is random.

    Args:
        molecules: SMILES strings whose symbols are used; a few hundred are enough.
        count: The number of molecules to return.

    Raises:
        ImportError: If selfies is not installed; the message gives the command to
            install it.

    Source: Krenn et al., Self-Referencing Embedded Strings (SELFIES),
        https://arxiv.org/abs/1905.13741
    """
    selfies = require("selfies", EXTRA)
    random = Random(seed)
    rows = [
        [*selfies.split_selfies(selfies.encoder(smiles, strict=False))]
        for smiles in molecules
    ]
    symbols = [symbol for row in rows for symbol in row]
    drawn = (random.choices(symbols, k=len(random.choice(rows))) for _ in range(count))
    return [selfies.decoder("".join(row)) for row in drawn]
