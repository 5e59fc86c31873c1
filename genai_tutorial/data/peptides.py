"""Antimicrobial peptides and other short proteins, read from the table that comes with
modlamp.

The table's two classes give themselves away: most of the others begin with methionine,
because they are whole proteins, and they have other lengths. Many are relatives of each
other, so the split goes by clusters of similar sequences.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from genai_tutorial.runtime import package_folder

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
        antimicrobial: True if it is in the Antimicrobial Peptide Database. The others
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
        ImportError: If modlamp is not installed.
        ValueError: If the table is damaged.
    """
    path = package_folder("modlamp", extra="science") / "data" / "AMPvsUniProt.csv"
    try:
        with path.open(encoding="utf-8") as file:
            _, *rows = csv.reader(file)
        return tuple(Peptide(row[0].strip(), row[1].strip() == "1") for row in rows)
    except (ValueError, IndexError, csv.Error) as error:
        raise ValueError(
            f"{path} is damaged ({error}): install modlamp again."
        ) from error


def load_peptides() -> tuple[Peptide, ...]:
    """Load the peptides: each sequence once, without a first M, 8 to 40 residues long.

    Raises:
        ImportError: If modlamp is not installed.

    >>> peptide = load_peptides()[0]
    >>> peptide.sequence, peptide.antimicrobial
    ('GLWSKIKEVGKEAAKAAAKAAGKAALGAVSEAV', True)
    """
    kept: dict[str, Peptide] = {}
    for peptide in load_peptide_table():
        sequence = peptide.sequence.removeprefix("M")
        fits = FEWEST_RESIDUES <= len(sequence) <= MOST_RESIDUES
        if fits and set(sequence) <= set(AMINO_ACIDS):
            kept.setdefault(sequence, Peptide(sequence, peptide.antimicrobial))
    return tuple(kept.values())


def load_peptide_split(seed: int = 0) -> PeptideSplit:
    """Split the peptides at random into four parts, whole clusters at a time.

    Raises:
        ImportError: If modlamp is not installed.
    """
    peptides = load_peptides()
    labels = cluster_sequences([peptide.sequence for peptide in peptides])
    clusters: dict[int, list[Peptide]] = defaultdict(list)
    for label, peptide in zip(labels, peptides, strict=True):
        clusters[label].append(peptide)
    order = torch.randperm(len(clusters), generator=torch.Generator().manual_seed(seed))
    parts: dict[str, list[Peptide]] = {name: [] for name in PARTS}
    names = list(parts)
    for index in order.tolist():
        part = parts[names[0]]
        part += clusters[index]
        if len(names) > 1 and len(part) >= PARTS[names[0]] * len(peptides):
            del names[0]
    return PeptideSplit(**{name: tuple(part) for name, part in parts.items()})


def sequence_words(sequence: str) -> set[str]:
    """Return all runs of four residues.

    >>> sorted(sequence_words("KLKLKL"))
    ['KLKL', 'LKLK']
    """
    return {sequence[k : k + WORD] for k in range(len(sequence) - WORD + 1)}


def cluster_sequences(sequences: Sequence[str]) -> list[int]:
    """Return the number of each sequence's cluster: relatives, their relatives, and so
    on, are in one cluster.
    """
    words = [sequence_words(sequence) for sequence in sequences]
    holders: dict[str, list[int]] = defaultdict(list)
    for index, inside in enumerate(words):
        for word in inside:
            holders[word].append(index)
    pairs = []
    for index, inside in enumerate(words):
        shared = Counter(
            holder
            for word in inside
            if len(holders[word]) < COMMON
            for holder in holders[word]
        )
        pairs += [
            (index, other)
            for other, count in shared.items()
            if count >= SHARED_WORDS * min(len(inside), len(words[other]))
        ]
    graph = coo_array(
        (np.ones(len(pairs)), np.array(pairs).T), shape=(len(words), len(words))
    )
    return connected_components(graph, directed=False)[1].tolist()
