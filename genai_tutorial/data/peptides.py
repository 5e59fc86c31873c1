"""Antimicrobial peptides and other short proteins, read from the table that comes with
modlamp.

The table's two classes give themselves away: most of the others begin with methionine,
because they are whole proteins, and they have other lengths. So a first M is removed,
only peptides of 8 to 40 residues are kept, and each sequence once. Many are relatives
of each other, so the split goes by clusters of similar sequences.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.runtime import package_folder

from .source import Source

PEPTIDES_SOURCE = Source(
    name="Antimicrobial peptides",
    loader="load_peptides",
    contents=(
        "3,472 peptides of 8 to 40 residues, somewhat more than half of them known to "
        "be antimicrobial"
    ),
    package="modlamp",
    extra="science",
    url="https://aps.unmc.edu",
    licence=(
        "the Antimicrobial Peptide Database states no licence for its sequences, which "
        "are facts; those from UniProt are under [CC BY 4.0]"
        "(https://creativecommons.org/licenses/by/4.0/), and modlamp under the "
        "[3-clause BSD licence](https://opensource.org/license/bsd-3-clause)"
    ),
    attribution=(
        "Guangshun Wang and others, Antimicrobial Peptide Database; the UniProt "
        "Consortium; the table was put together by Alex Müller and others for modlamp"
    ),
)

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
"""The 20 amino acids, as one-letter codes."""

FEWEST_RESIDUES, MOST_RESIDUES = 8, 40
"""The range of lengths."""

SHARED_WORDS = 0.4
"""Relatives share at least this fraction of the shorter one's 4-mers."""

WORD = 4
COMMON = 200  # 4-mers in more peptides than this say nothing about relation
PARTS = {"held_out": 0.2, "validation": 0.1, "judge": 0.35, "model": 0.35}


@dataclass(frozen=True)
class Peptide:
    """A short protein.

    Attributes:
        sequence: Its residues, as letters of `AMINO_ACIDS`.
        antimicrobial: Whether it is in the Antimicrobial Peptide Database. The others
            are random proteins, which were not tested against bacteria.
    """

    sequence: str
    antimicrobial: bool


@dataclass(frozen=True)
class PeptideSplit:
    """Four parts without relatives of one part in another.

    Attributes:
        model: To train a generative model on.
        judge: To train a judge on, independent of the model's peptides.
        validation: To stop the model's training with.
    """

    model: tuple[Peptide, ...]
    judge: tuple[Peptide, ...]
    validation: tuple[Peptide, ...]
    held_out: tuple[Peptide, ...]


def load_peptide_table() -> tuple[Peptide, ...]:
    """Load the table as it is, with everything that gives its classes away.

    Raises:
        ImportError: If modlamp is not installed; the message gives the command to
            install it.
    """
    folder = package_folder("modlamp", extra="science")
    with (folder / "data" / "AMPvsUniProt.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return tuple(Peptide(row[0].strip(), row[1].strip() == "1") for row in rows)


def load_peptides() -> tuple[Peptide, ...]:
    """Load the peptides: each sequence once, without a first M, 8 to 40 residues long.

    Raises:
        ImportError: If modlamp is not installed; the message gives the command to
            install it.

    >>> peptide = load_peptides()[0]
    >>> peptide.sequence, peptide.antimicrobial
    ('GLWSKIKEVGKEAAKAAAKAAGKAALGAVSEAV', True)
    """
    kept: dict[str, Peptide] = {}
    for peptide in load_peptide_table():
        sequence = peptide.sequence.removeprefix("M")
        if FEWEST_RESIDUES <= len(sequence) <= MOST_RESIDUES and not (
            set(sequence) - set(AMINO_ACIDS)
        ):
            kept.setdefault(sequence, Peptide(sequence, peptide.antimicrobial))
    return tuple(kept.values())


def load_peptide_split(seed: int = 0) -> PeptideSplit:
    """Split the peptides at random into four parts, whole clusters at a time.

    Raises:
        ImportError: If modlamp is not installed.
    """
    peptides = load_peptides()
    clusters: dict[int, list[Peptide]] = defaultdict(list)
    for cluster, peptide in zip(
        cluster_sequences([peptide.sequence for peptide in peptides]),
        peptides,
        strict=True,
    ):
        clusters[cluster].append(peptide)
    order = torch.randperm(len(clusters), generator=torch.Generator().manual_seed(seed))
    parts: dict[str, list[Peptide]] = {name: [] for name in PARTS}
    names = list(parts)
    for index in order.tolist():
        part = parts[names[0]]
        part += clusters[index]
        if len(names) > 1 and len(part) >= PARTS[names[0]] * len(peptides):
            del names[0]
    return PeptideSplit(**{name: tuple(part) for name, part in parts.items()})


def sequence_words(sequence: str, length: int = WORD) -> set[str]:
    """Return all runs of `length` residues.

    >>> sorted(sequence_words("KLKLKL"))
    ['KLKL', 'LKLK']
    """
    return {sequence[k : k + length] for k in range(len(sequence) - length + 1)}


def cluster_sequences(sequences: Sequence[str]) -> list[int]:
    """Return the number of each sequence's cluster: relatives, their relatives, and so
    on, are in one cluster.
    """
    words = [sequence_words(sequence) for sequence in sequences]
    holders: dict[str, list[int]] = defaultdict(list)
    for index, inside in enumerate(words):
        for word in inside:
            holders[word].append(index)
    parent = list(range(len(sequences)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index, inside in enumerate(words):
        shared: dict[int, int] = defaultdict(int)
        for word in inside:
            if len(holders[word]) < COMMON:
                for holder in holders[word]:
                    shared[holder] += 1
        for other, count in shared.items():
            shorter = min(len(inside), len(words[other]))
            if other < index and count >= SHARED_WORDS * shorter:
                parent[root(index)] = root(other)
    return _renumbered(root(index) for index in range(len(sequences)))


def _renumbered(labels: Iterable[int]) -> list[int]:
    numbers: dict[int, int] = {}
    return [numbers.setdefault(label, len(numbers)) for label in labels]
