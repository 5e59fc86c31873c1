"""A language model of peptides that is told which kind to write: a label token comes
first, then one token per residue.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genai_tutorial.alignment import Example, Rows, pad_examples, supervised_loss
from genai_tutorial.data import AMINO_ACIDS, Peptide
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.training import (
    OptimizerSettings,
    Schedule,
    TensorBatches,
    build_optimizer,
    fit,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

END, OTHER, ANTIMICROBIAL = 0, 1, 2
FIRST_RESIDUE = 3
VOCABULARY = FIRST_RESIDUE + len(AMINO_ACIDS)
LONGEST_ROW = 42
"""The number of tokens of the longest peptide, with its label and its end."""


def peptide_rows(peptides: Sequence[Peptide]) -> Rows:
    """Return peptides as rows of tokens for `supervised_loss`: the label is the prompt,
    the residues and the end token are the answer.
    """
    examples = []
    for peptide in peptides:
        label = ANTIMICROBIAL if peptide.antimicrobial else OTHER
        residues = (FIRST_RESIDUE + AMINO_ACIDS.index(r) for r in peptide.sequence)
        examples.append(Example((label,), (*residues, END)))
    return pad_examples(examples, LONGEST_ROW)


def flipped(peptides: Sequence[Peptide]) -> list[Peptide]:
    """Return the same sequences with the other label."""
    return [
        replace(peptide, antimicrobial=not peptide.antimicrobial)
        for peptide in peptides
    ]


@torch.no_grad()
def peptide_loss(model: DecoderLM, peptides: Sequence[Peptide]) -> float:
    """Return the mean loss in nats per token, the end of each peptide included."""
    rows = peptide_rows(peptides)
    losses, tokens = 0.0, 0
    for ids, answer in zip(rows.ids.split(256), rows.is_answer.split(256), strict=True):
        count = int(answer[:, 1:].sum())
        losses += float(supervised_loss(model, ids, answer)) * count
        tokens += count
    return losses / tokens


@dataclass(frozen=True)
class PeptideTraining:
    """A trained model, and the losses on the way.

    Attributes:
        model: The model with the lowest validation loss: early stopping.
        last: The model after the last step.
        losses: Step, and validation loss in nats per token.
    """

    model: DecoderLM
    last: DecoderLM
    losses: list[tuple[int, float]]


def train_peptide_model(
    train: Sequence[Peptide],
    validation: Sequence[Peptide],
    *,
    steps: int = 160,
    evaluate_every: int = 20,
    seed: int = 0,
) -> PeptideTraining:
    """Train a model of 0.3 million parameters, and keep the weights with the lowest
    validation loss beside the last ones: it memorizes 1,200 peptides within a minute.

    Args:
        steps: The number of steps, of 32 peptides each.
        evaluate_every: The number of steps between two measurements.
        seed: Seed of the weights and the batches.
    """
    model = DecoderLM(
        DecoderConfig.fast(VOCABULARY, LONGEST_ROW, width=96, layers=3, heads=4), seed
    )
    rows = peptide_rows(train)
    best: dict[str, Tensor] = {}
    lowest = float("inf")

    def evaluate(model: DecoderLM) -> float:
        nonlocal lowest
        loss = peptide_loss(model, validation)
        if loss < lowest:
            lowest = loss
            best.update(copy.deepcopy(model.state_dict()))
        return loss

    history = fit(
        model,
        TensorBatches((rows.ids, rows.is_answer), 32, seed),
        supervised_loss,
        build_optimizer(model, OptimizerSettings(matrix_lr=0.01, embedding_lr=0.005)),
        steps=steps,
        schedule=Schedule(steps, 20, "linear"),
        evaluate=evaluate,
        evaluate_every=evaluate_every,
        progress=False,
    )
    last = copy.deepcopy(model).eval()
    model.load_state_dict(best)
    losses = [(point.step, point.value) for point in history.evaluations]
    return PeptideTraining(model.eval(), last, losses)


def write_peptides(
    model: DecoderLM, count: int, *, antimicrobial: bool, generator: torch.Generator
) -> list[str]:
    """Sample `count` sequences with a label, without those below eight residues."""
    label = ANTIMICROBIAL if antimicrobial else OTHER
    drawn = generate_rollouts(
        model,
        [[label]] * count,
        LONGEST_ROW - 1,
        end_token=END,
        temperature=1.0,
        generator=generator,
    )
    sequences = [
        "".join(
            AMINO_ACIDS[token - FIRST_RESIDUE]
            for token in row
            if token >= FIRST_RESIDUE
        )
        for row in drawn.answers()
    ]
    return [sequence for sequence in sequences if len(sequence) >= 8]


def shuffled(sequences: Sequence[str], generator: torch.Generator) -> list[str]:
    """Return sequences with their residues in random order: the same composition,
    charge and hydrophobicity, but no helix.
    """
    return [
        "".join(sequence[k] for k in torch.randperm(len(sequence), generator=generator))
        for sequence in sequences
    ]
