"""Peptides: a language model of sequences with a label, and a judge with controls."""

from genai_tutorial.science.peptides.descriptors import (
    HYDROPHOBICITY,
    charge,
    hydrophobic_moment,
    hydrophobicity,
)
from genai_tutorial.science.peptides.judge import (
    STUTTERS,
    PeptideJudge,
    PeptideScores,
    composition,
    judge_features,
    measure_peptides,
)
from genai_tutorial.science.peptides.model import (
    PeptideTraining,
    flipped,
    peptide_loss,
    peptide_rows,
    shuffled,
    train_peptide_model,
    write_peptides,
)

__all__ = [
    "HYDROPHOBICITY",
    "STUTTERS",
    "PeptideJudge",
    "PeptideScores",
    "PeptideTraining",
    "charge",
    "composition",
    "flipped",
    "hydrophobic_moment",
    "hydrophobicity",
    "judge_features",
    "measure_peptides",
    "peptide_loss",
    "peptide_rows",
    "shuffled",
    "train_peptide_model",
    "write_peptides",
]
