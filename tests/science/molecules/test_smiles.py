"""The SMILES tokenizer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.science.molecules import SmilesTokenizer, split_smiles

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
    with pytest.raises(ValueError, match=r"from 0 to 3, got \[9\]"):
        tokenizer.decode([3, 9])
    with pytest.raises(ValueError, match=r"\['C'\] twice"):
        SmilesTokenizer(("C",), ("C",))
    with pytest.raises(ValueError, match="at least one symbol"):
        SmilesTokenizer(())
    with pytest.raises(ValueError, match="the entries 'symbols' and 'labels'"):
        SmilesTokenizer.from_dict({"symbols": ["C"]})
