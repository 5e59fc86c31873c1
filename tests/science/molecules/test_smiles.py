"""The SMILES tokenizer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.science.molecules import (
    SmilesTokenizer,
    count_failures,
    draw_molecules,
    smiles_failure,
    split_smiles,
)
from genai_tutorial.science.molecules.smiles import FAILURES

pytest.importorskip("rdkit")

TOKENS = ["C", "c", "N", "[nH]", "Cl", "Br", "(", ")", "=", "1", "%10", "[O-]"]


@given(st.lists(st.sampled_from(TOKENS)))
def test_split_smiles_finds_the_tokens_that_were_joined(tokens):
    assert split_smiles("".join(tokens)) == tokens


def test_split_smiles_keeps_atoms_of_two_letters_and_brackets_whole():
    assert split_smiles("ClC[nH+]%12Br") == ["Cl", "C", "[nH+]", "%12", "Br"]


@given(st.lists(st.sampled_from(TOKENS)))
def test_tokenizer_round_trip(tokens):
    tokenizer = SmilesTokenizer(tuple(TOKENS), ("<high>",))
    smiles = "".join(tokens)
    ids = tokenizer.encode(smiles)
    assert tokenizer.decode([tokenizer.label_ids[0], *ids, tokenizer.end]) == smiles
    assert min(ids, default=4) >= 4  # after three special tokens and a label


def test_tokenizer_survives_json():
    tokenizer = SmilesTokenizer.from_smiles(["CCl", "c1cc1"], ["<a>", "<b>"])
    assert SmilesTokenizer.from_dict(tokenizer.to_dict()) == tokenizer
    assert tokenizer.vocab_size == 3 + 2 + 4


def test_tokenizer_rejects_unknown_and_repeated_tokens():
    tokenizer = SmilesTokenizer(("C",))
    with pytest.raises(ValueError, match=r"CBr has tokens .*\['Br'\]"):
        tokenizer.encode("CBr")
    with pytest.raises(ValueError, match=r"\['C'\] twice"):
        SmilesTokenizer(("C",), ("C",))
    with pytest.raises(ValueError, match="the entries 'symbols' and 'labels'"):
        SmilesTokenizer.from_dict({"symbols": ["C"]})


def test_draw_molecules_fills_the_cells_of_the_grid_and_repeats():
    molecules = ["CCO", "c1ccccc1", "CCN", "CCCC", "CCCN"]
    picture = draw_molecules(molecules)
    assert picture.size == (4 * 180, 2 * 180)
    dark = np.asarray(picture.convert("L")) < 128
    cells = dark.reshape(2, 180, 4, 180).any(axis=(1, 3))
    assert cells.tolist() == [[True] * 4, [True] + [False] * 3]
    assert picture.tobytes() == draw_molecules(molecules).tobytes()


def test_draw_molecules_rejects_what_it_cannot_draw():
    with pytest.raises(ValueError, match="at least one molecule"):
        draw_molecules([])
    with pytest.raises(ValueError, match="is no molecule"):
        draw_molecules(["C1CC"])


@pytest.mark.parametrize(
    ("smiles", "failure"),
    [
        ("CCO", "valid"),
        ("", "grammar"),
        ("C1CC", "grammar"),
        ("CC(C", "grammar"),
        ("CC)C", "grammar"),
        ("c1cccc1", "aromaticity"),
        ("cC", "aromaticity"),
        ("CCOC(=O)C(=NOC(=O)C1C(C)=O)c2ccccc2n1(C)C", "aromaticity"),
        ("C(C)(C)(C)(C)C", "valence"),
        ("CN(C)(C)C", "valence"),
        ("FCF(C)c1cccc1", "valence"),
    ],
)
def test_smiles_failure_names_the_first_check(smiles, failure, capfd):
    assert smiles_failure(smiles) == failure
    assert capfd.readouterr() == ("", "")


def test_count_failures_counts_every_string(molecules):
    counts = count_failures([*molecules, "C1CC", "c1cccc1"])
    assert tuple(counts) == FAILURES
    assert list(counts.values()) == [len(molecules), 1, 1, 0]
