"""Merges of LoRA adapters: their average, their sum, and TIES."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from genai_tutorial.alignment import lora_layers
from genai_tutorial.transformer import DecoderLM

DENSITY = 0.2  # of TIES: the share of entries that are kept, as in the paper

Corrections = dict[str, Tensor]


def corrections_of(model: DecoderLM) -> Corrections:
    """Return the correction of each matrix of a model with LoRA."""
    return {name: layer.difference() for name, layer in lora_layers(model)}


def combine(tasks: Sequence[Corrections], scale: float) -> Corrections:
    """Add up the corrections of several tasks, times a scale: the average of two with
    0.5, task arithmetic's sum with 1.
    """
    return {name: scale * sum(task[name] for task in tasks) for name in tasks[0]}


def ties(tasks: Sequence[Corrections], density: float = DENSITY) -> Corrections:
    """Merge by TIES (Yadav et al., 2023): trim each matrix to its largest entries,
    elect a sign for each entry, and average the entries that have it.
    """
    merged = {}
    for name in tasks[0]:
        kept_entries = []
        for task in tasks:
            size = task[name].abs()
            count = int(density * size.numel())
            smallest = size.flatten().topk(count).values[-1]
            kept_entries.append(torch.where(size >= smallest, task[name], 0))
        stack = torch.stack(kept_entries)
        sign = torch.where(stack.sum(dim=0) >= 0, 1, -1)
        agrees = stack.sign() == sign
        merged[name] = (stack * agrees).sum(dim=0) / agrees.sum(dim=0).clamp(min=1)
    return merged


def combine_factors(models: Sequence[DecoderLM], scale: float) -> Corrections:
    """Add up the small matrices A and B, each by itself, and multiply the sums, as the
    quick method of peft (`linear`) does. B of one adapter then meets A of the other.
    """
    layers = [dict(lora_layers(model)) for model in models]
    return {
        name: (scale * layer.scale)
        * sum(other[name].up for other in layers).detach()
        @ sum(other[name].down for other in layers).detach()
        for name, layer in layers[0].items()
    }


def corrected(assistant: DecoderLM, corrections: Corrections) -> DecoderLM:
    """Return a copy of the assistant with corrections added to its matrices."""
    model = copy.deepcopy(assistant)
    with torch.no_grad():
        for name, correction in corrections.items():
            model.get_submodule(name).weight += correction
    return model.eval()
