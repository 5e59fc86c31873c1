"""Repetition: how much of a text has been written before in the same text."""

from collections.abc import Sequence


def repeated_share(tokens: Sequence, size: int) -> float:
    """Return the share of a text's n-grams that occur earlier in it; 0 for a text that
    is shorter than one n-gram.

    Args:
        tokens: The text, as characters, words or tokens.
        size: The length n of the sequences that are compared.

    Raises:
        ValueError: If the size is below 1.

    Source: Welleck et al., Neural Text Generation with Unlikelihood Training, section
    6.1 (seq-rep-n), https://arxiv.org/abs/1908.04319

    >>> repeated_share("to be or to be", 5)  # "to be" is one of ten, and comes twice
    0.1
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}.")
    grams = [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
    return (len(grams) - len(set(grams))) / max(len(grams), 1)
