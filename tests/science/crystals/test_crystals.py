"""Rules for crystals, and models of formulas."""

import pytest
import torch

from genai_tutorial.data import Compound, Crystal, load_compounds, load_crystals
from genai_tutorial.science.crystals import (
    closest_distance,
    has_anion,
    is_charge_balanced,
    random_positions,
    scrambled_compounds,
)
from genai_tutorial.science.crystals.rules import ANIONS

SALT = Crystal(
    "AB_cP2_221_b_a",
    ("Cs", "Cl"),
    4.0 * torch.eye(3),
    torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
)


@pytest.mark.parametrize(
    ("amounts", "balanced"),
    [
        ({"Na": 1, "Cl": 1}, True),
        ({"Na": 2, "Cl": 1}, False),
        ({"Fe": 2, "O": 3}, True),
        ({"Fe": 3, "O": 4}, False),  # two states of iron: the rule allows only one
        ({"Ca": 1, "C": 1, "O": 3}, True),
        ({"Mg": 1, "Na": 1}, False),
    ],
)
def test_charge_balance_of_known_formulas(amounts, balanced):
    assert is_charge_balanced(amounts) == balanced


def test_charge_balance_rejects_unknown_elements():
    with pytest.raises(ValueError, match=r"no oxidation states for \['Xx'\]"):
        is_charge_balanced({"Xx": 1, "O": 1})


def test_charge_balance_passes_real_salts_and_much_nonsense():
    salts = [each for each in load_compounds() if has_anion(each.amounts)]
    nonsense = scrambled_compounds(salts, torch.Generator().manual_seed(0))
    shares = [
        sum(map(is_charge_balanced, formulas)) / len(salts)
        for formulas in ([each.amounts for each in salts], nonsense)
    ]
    assert shares[0] > 0.85
    assert 0.35 < shares[1] < 0.55


def test_scrambled_compounds_keep_numbers_and_kinds():
    compound = Compound("CaCO3", {"Ca": 1.0, "C": 1.0, "O": 3.0}, -2.5)
    for amounts in scrambled_compounds([compound] * 50, torch.Generator()):
        assert list(amounts.values()) == [1.0, 1.0, 3.0]
        assert [element in ANIONS for element in amounts] == [False, True, True]


def test_real_cells_keep_atoms_apart_and_random_ones_do_not():
    cells = load_crystals()
    anywhere = random_positions(cells, torch.Generator().manual_seed(0))

    def share(crystals, limit):
        return sum(closest_distance(each) > limit for each in crystals) / len(crystals)

    assert share(cells, 1.5) > 0.85 > 0.3 > share(anywhere, 1.5)
    # the limit of 0.5 Å that papers use tells almost nothing
    assert share(anywhere, 0.5) > 0.8
