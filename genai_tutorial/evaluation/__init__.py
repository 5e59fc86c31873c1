"""How good a model is: likelihood on unseen data, intervals over seeds, and whether its samples are new."""

from genai_tutorial.evaluation.intervals import Interval, bootstrap_interval
from genai_tutorial.evaluation.likelihood import (
    TextScore,
    bits_per_dimension,
    evaluate_language_model,
    nats_per_character,
    nats_to_bits,
    perplexity,
)
from genai_tutorial.evaluation.neighbours import CopyCheck, Neighbours, check_copies, nearest_neighbours

__all__ = [
    "CopyCheck",
    "Interval",
    "Neighbours",
    "TextScore",
    "bits_per_dimension",
    "bootstrap_interval",
    "check_copies",
    "evaluate_language_model",
    "nats_per_character",
    "nats_to_bits",
    "nearest_neighbours",
    "perplexity",
]
