"""Semantic entropy: how much several answers to one question differ in meaning, however
they are worded.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence


def entropy_of_answers(answers: Sequence[Hashable]) -> float:
    """Return the entropy of the shares of different answers, in nats: 0 if all are the
    same, ln n if all n differ.

    Raises:
        ValueError: If there are no answers.

    >>> entropy_of_answers(["Lima", "Lima", "Cusco", "Cusco"])
    0.6931471805599453
    """
    if not answers:
        raise ValueError("There must be at least one answer, got none.")
    shares = [count / len(answers) for count in Counter(answers).values()]
    return sum(-share * math.log(share) for share in shares)


def cluster_meanings(
    answers: Sequence[str], is_same: Callable[[str, str], bool]
) -> list[int]:
    """Return for each answer the number of its meaning: an answer joins the first
    meaning whose first answer means the same, or begins a new one.
    """
    firsts: list[str] = []
    numbers = []
    for answer in answers:
        number = next(
            (number for number, first in enumerate(firsts) if is_same(first, answer)),
            len(firsts),
        )
        if number == len(firsts):
            firsts.append(answer)
        numbers.append(number)
    return numbers


def semantic_entropy(
    answers: Sequence[str], is_same: Callable[[str, str], bool]
) -> float:
    """Return the entropy of the answers' meanings, in nats.

    This is the discrete version, which counts sampled answers and needs no
    probabilities.

    Args:
        answers: Answers to one question, sampled independently.
        is_same: Whether two answers mean the same.

    Raises:
        ValueError: If there are no answers.

    Source: Kuhn, Gal and Farquhar, Semantic Uncertainty, section 3,
        https://arxiv.org/abs/2302.09664; Farquhar et al., Detecting Hallucinations in
        Large Language Models Using Semantic Entropy, methods (discrete semantic
        entropy), https://doi.org/10.1038/s41586-024-07421-0

    >>> semantic_entropy(["Lima.", "It is Lima.", "Cusco."], lambda a, b: a in b)
    0.6365141682948128
    """
    return entropy_of_answers(cluster_meanings(answers, is_same))
