"""Compounds and crystals, read from tables inside pymatgen without its code."""

import gzip
import sys
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.data import load_compounds, load_crystals
from genai_tutorial.data.crystals import _compound, _table, parse_formula


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("NaCl", {"Na": 1, "Cl": 1}),
        ("Al2(SO4)3", {"Al": 2, "S": 3, "O": 12}),
        ("Mo(CO)6", {"Mo": 1, "C": 6, "O": 6}),
        ("(NH4)2CO3", {"N": 2, "H": 8, "C": 1, "O": 3}),
        ("Fe0.95O", {"Fe": 0.95, "O": 1}),
        ("CH3CH3", {"C": 2, "H": 6}),
        ("Ca(Al(OH)4)2", {"Ca": 1, "Al": 2, "O": 8, "H": 8}),
    ],
)
def test_parse_formula_counts_atoms(formula, amounts):
    assert parse_formula(formula) == pytest.approx(amounts)


@pytest.mark.parametrize(
    "text", ["", "hello", "Na)", "(NaCl", "2Na", "Na-Cl", "()", "Al" + "9" * 400]
)
def test_parse_formula_rejects_what_is_no_formula(text):
    with pytest.raises(ValueError, match="is not a formula"):
        parse_formula(text)


@given(
    st.dictionaries(
        st.sampled_from(["Na", "O", "C", "Cl", "Fe"]), st.integers(1, 20), min_size=1
    )
)
def test_parse_formula_reads_what_was_written(amounts):
    text = "".join(
        element + ("" if count == 1 else str(count))
        for element, count in amounts.items()
    )
    assert parse_formula(text) == amounts


def test_compounds_have_energies_per_atom():
    """Per formula the lowest energies are below -100 eV, which no atom has."""
    compounds = load_compounds()
    assert len(compounds) == 2135
    energies = torch.tensor([compound.energy for compound in compounds])
    assert -6 < energies.min() < energies.median() < 0
    alumina = next(each for each in compounds if each.formula == "Al2O3")
    assert alumina.energy == pytest.approx(-3.47, abs=0.05)


def test_crystals_have_cells_and_fractional_positions():
    crystals = load_crystals()
    assert len(crystals) == 250
    assert max(len(crystal.symbols) for crystal in crystals) == 20
    for crystal in crystals:
        assert crystal.fractional.shape == (len(crystal.symbols), 3)
        assert 0 <= crystal.fractional.min() <= crystal.fractional.max() < 1
        assert abs(torch.linalg.det(crystal.lattice)) > 5


def test_crystals_run_no_code_of_pymatgen():
    load_crystals()
    assert not any(name.startswith("pymatgen.analysis") for name in sys.modules)


def test_crystals_name_the_line_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match="pip install --no-deps pymatgen and try again"
    ):
        _table("any.json.gz", dict)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        gzip.compress(b"[{}]", mtime=0),
        gzip.compress(b"{", mtime=0),
        gzip.compress(b"3", mtime=0),
        gzip.compress(b'[{"formula": "Al2O3", "exp energy": -3}]', mtime=0)[:-5],
    ],
)
def test_a_damaged_table_is_named(monkeypatch, tmp_path, content):
    (tmp_path / "table.json.gz").write_bytes(content)
    found = SimpleNamespace(submodule_search_locations=[tmp_path])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    with pytest.raises(ValueError, match=r"table\.json\.gz is damaged"):
        _table("table.json.gz", _compound)
