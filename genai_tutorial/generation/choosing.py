"""Test-time compute: several answers to one question, and ways to choose among them,
each with the number of tokens that it cost.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SampledAnswer:
    """One of several answers to a question.

    Attributes:
        answer: The final answer that was read from the text; None if there was none.
        tokens: The number of tokens that the model wrote.
        log_prob: The model's log-probability of the whole text, in nats.
    """

    answer: Hashable | None
    tokens: int
    log_prob: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class ChosenAnswer:
    """The result of a choice among answers.

    Attributes:
        answer: The chosen answer; None if no sample had one.
        tokens: The number of tokens of all samples together, chosen or not.
        weight: The chosen answer's share of all weights: of the votes, if all weigh the
            same.
    """

    answer: Hashable | None
    tokens: int
    weight: float


Weight = Callable[[SampledAnswer], float]
"""A function that gives an answer its weight in a vote or its place in a ranking."""


def weighted_vote(samples: Sequence[SampledAnswer], weight: Weight) -> ChosenAnswer:
    """Choose the answer with the largest sum of weights.

    Samples without an answer do not vote. Of answers with equal sums, the one that was
    written first wins, so the result does not depend on how answers are stored.

    Args:
        samples: The answers to one question.
        weight: The weight of each vote, not negative.

    Raises:
        ValueError: If there are no samples, or a weight is negative or not finite.

    Source: Wang et al., Self-Consistency Improves Chain of Thought Reasoning in
        Language Models, section 3 and table 1, https://arxiv.org/abs/2203.11171

    >>> samples = [SampledAnswer(a, 3, p) for a, p in ((7, -1.0), (8, -2.0), (8, -2.0))]
    >>> weighted_vote(samples, lambda sample: 1.0).answer
    8
    >>> weighted_vote(samples, lambda sample: math.exp(sample.log_prob)).answer
    7
    """
    _check(samples)
    sums: dict[Hashable, float] = {}
    for sample in samples:
        if sample.answer is None:
            continue
        vote = weight(sample)
        if not (math.isfinite(vote) and vote >= 0):
            raise ValueError(
                f"A weight must be a number from 0 up, got {vote} for the answer "
                f"{sample.answer!r}."
            )
        sums[sample.answer] = sums.get(sample.answer, 0.0) + vote
    tokens = _tokens(samples)
    if not sums:
        return ChosenAnswer(None, tokens, 0.0)
    best = max(sums, key=sums.__getitem__)  # the first of equals
    total = sum(sums.values())
    return ChosenAnswer(best, tokens, sums[best] / total if total else 0.0)


def self_consistency(samples: Sequence[SampledAnswer]) -> ChosenAnswer:
    """Choose the most frequent answer: a majority vote, in which different ways to the
    same answer count together.

    Args:
        samples: The answers to one question.

    Raises:
        ValueError: If there are no samples.

    Source: Wang et al., Self-Consistency Improves Chain of Thought Reasoning in
        Language Models, section 2, https://arxiv.org/abs/2203.11171

    >>> self_consistency([SampledAnswer(answer, 3) for answer in (7, 8, None, 8)])
    ChosenAnswer(answer=8, tokens=12, weight=0.6666666666666666)
    """
    return weighted_vote(samples, lambda sample: 1.0)


def best_of_samples(samples: Sequence[SampledAnswer], score: Weight) -> ChosenAnswer:
    """Choose the answer of the sample with the highest score, the first of equals:
    best-of-n.

    Args:
        samples: The answers to one question.
        score: A verifier, a reward model, or the model's own log-probability.

    Raises:
        ValueError: If there are no samples.

    Source: Cobbe et al., Training Verifiers to Solve Math Word Problems, section 4,
        https://arxiv.org/abs/2110.14168

    >>> samples = [SampledAnswer(7, 3), SampledAnswer(9, 4), SampledAnswer(8, 3)]
    >>> best_of_samples(samples, lambda sample: float(sample.answer == 9))
    ChosenAnswer(answer=9, tokens=10, weight=0.3333333333333333)
    """
    _check(samples)
    chosen = max(samples, key=score)
    share = sum(sample.answer == chosen.answer for sample in samples) / len(samples)
    return ChosenAnswer(chosen.answer, _tokens(samples), share)


@dataclass(frozen=True)
class ComputePoint:
    """Accuracy and cost at one number of samples per question.

    Attributes:
        n: The number of samples per question.
        accuracy: The share of right choices.
        tokens: The mean number of tokens per question.
    """

    n: int
    accuracy: float
    tokens: float


def accuracy_per_tokens(
    samples: Sequence[Sequence[SampledAnswer]],
    truths: Sequence[Hashable],
    choose: Callable[[Sequence[SampledAnswer]], ChosenAnswer],
    counts: Sequence[int],
) -> list[ComputePoint]:
    """Return accuracy and cost of a way to choose, for several numbers of samples.

    The samples of a question are split into groups of n that do not overlap, and each
    group is one trial.

    Args:
        samples: For each question, equally many samples.
        truths: The right answer to each question.
        choose: For example `self_consistency`.
        counts: The numbers of samples, each at most the number there is.

    Raises:
        ValueError: If the lengths do not fit together, or a count is out of range.

    >>> samples = [[SampledAnswer(answer, 5) for answer in (1, 2, 1, 1)]]
    >>> for point in accuracy_per_tokens(samples, [1], self_consistency, [1, 4]):
    ...     print(point)
    ComputePoint(n=1, accuracy=0.75, tokens=5.0)
    ComputePoint(n=4, accuracy=1.0, tokens=20.0)
    """
    sizes = {len(row) for row in samples}
    if len(samples) != len(truths) or len(sizes) != 1:
        raise ValueError(
            "Each question needs one truth and equally many samples, got "
            f"{len(samples)} questions, {len(truths)} truths and {sorted(sizes)} "
            "samples."
        )
    there = sizes.pop()
    points = []
    for n in counts:
        if not 1 <= n <= there:
            raise ValueError(
                f"A count must be from 1 to {there}, the number of samples; got {n}."
            )
        trials = [
            (choose(row[start : start + n]), truth)
            for row, truth in zip(samples, truths, strict=True)
            for start in range(0, there - n + 1, n)
        ]
        points.append(
            ComputePoint(
                n,
                sum(chosen.answer == truth for chosen, truth in trials) / len(trials),
                sum(chosen.tokens for chosen, _ in trials) / len(trials),
            )
        )
    return points


def _check(samples: Sequence[SampledAnswer]) -> None:
    if not samples:
        raise ValueError("There must be at least one sample to choose from, got none.")


def _tokens(samples: Sequence[SampledAnswer]) -> int:
    return sum(sample.tokens for sample in samples)
