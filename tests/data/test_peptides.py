"""The peptides: without what gives the classes away, and split by clusters."""

import dataclasses

import pytest

from genai_tutorial.data import (
    AMINO_ACIDS,
    load_peptide_split,
    load_peptide_table,
    load_peptides,
    peptides,
    sequence_words,
)
from genai_tutorial.data.peptides import cluster_sequences
from genai_tutorial.metrics import auroc

pytest.importorskip("modlamp")


def test_peptides_have_8_to_40_known_residues_each_once():
    peptides = load_peptides()
    assert len(peptides) == 3472
    assert len({peptide.sequence for peptide in peptides}) == 3472
    assert all(8 <= len(peptide.sequence) <= 40 for peptide in peptides)
    assert not {r for peptide in peptides for r in peptide.sequence} - set(AMINO_ACIDS)


def test_peptides_no_longer_begin_with_the_methionine_of_whole_proteins():
    def share(peptides):
        others = [peptide for peptide in peptides if not peptide.antimicrobial]
        return sum(peptide.sequence[0] == "M" for peptide in others) / len(others)

    assert share(load_peptide_table()) > 0.5
    assert share(load_peptides()) < 0.1


@pytest.mark.slow
def test_peptide_split_has_four_disjoint_parts_without_relatives():
    split = load_peptide_split()
    parts = [getattr(split, field.name) for field in dataclasses.fields(split)]
    sizes = {
        field.name: len(getattr(split, field.name))
        for field in dataclasses.fields(split)
    }
    assert sum(sizes.values()) == 3472
    assert 680 <= sizes["held_out"] <= 820
    assert min(sizes["model"], sizes["judge"]) > 1000
    assert all(parts)
    every = [each for part in parts for each in part]
    numbers = cluster_sequences([each.sequence for each in every])
    owner: dict[int, set[int]] = {}
    start = 0
    for place, part in enumerate(parts):
        for number in numbers[start : start + len(part)]:
            owner.setdefault(number, set()).add(place)
        start += len(part)
    assert all(len(places) == 1 for places in owner.values())
    assert load_peptide_split() == split != load_peptide_split(seed=1)


def test_cluster_sequences_joins_relatives_of_relatives():
    middle = "GLFDIVKKVVGALGSL"
    chain = [middle[:10] + "WWWW", middle, "YYYY" + middle[8:], "AAAAAAAAAAAA"]
    assert cluster_sequences(chain) == [0, 0, 0, 1]
    assert sequence_words("ACD") == set()


@pytest.mark.parametrize("content", [b"", b"Sequence,AMP\nGLW", b"\xff\xfe"])
def test_a_damaged_table_is_named(monkeypatch, tmp_path, content):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "AMPvsUniProt.csv").write_bytes(content)
    monkeypatch.setattr(peptides, "package_folder", lambda name, extra: tmp_path)
    with pytest.raises(ValueError, match=r"AMPvsUniProt\.csv is damaged"):
        load_peptide_table()


def test_peptide_lengths_say_little_about_the_class():
    """By length alone the raw table can be told apart much better."""
    import torch

    def by_length(peptides):
        lengths = torch.tensor([float(len(peptide.sequence)) for peptide in peptides])
        labels = torch.tensor([peptide.antimicrobial for peptide in peptides])
        return max(auroc(lengths, labels), auroc(-lengths, labels))

    assert by_length(load_peptides()) < 0.7
    assert by_length(load_peptides()) > 0.5
