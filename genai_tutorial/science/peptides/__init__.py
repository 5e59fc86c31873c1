"""Peptides: a language model of sequences with a label, and a judge with controls."""

from .judge import STUTTERS, PeptideJudge, PeptideScores, measure_peptides
from .model import (
    PeptideTraining,
    flipped,
    peptide_loss,
    shuffled,
    train_peptide_model,
    write_peptides,
)
