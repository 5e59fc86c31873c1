"""Measures of several answers to the same question: pass@k, the winner's curse,
semantic entropy, and calibration of labels.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .intervals import Interval, bootstrap_interval


def pass_at_k(samples: int, correct: int, k: int) -> float:
    r"""Estimate the probability that at least one of `k` samples is correct.

    Of $n$ samples of a problem, $c$ pass all tests. A draw of $k$ of them has no
    correct one in $\binom{n-c}{k}$ of $\binom{n}{k}$ cases, so

    $$\text{pass@}k = 1 - \binom{n-c}{k} \Big/ \binom{n}{k}
    = 1 - \prod_{i=n-c+1}^{n} \left(1 - \frac{k}{i}\right)$$

    The estimate is unbiased, whereas $1 - (1 - c/n)^k$ is too low on average. The
    product has no large numbers, unlike the binomial coefficients.

    Raises:
        ValueError: If `correct` is not from 0 to `samples`, or `k` is not from 1 to
            `samples`.

    Source: Chen et al. (2021), Evaluating large language models trained on code,
        section 2.1, https://arxiv.org/abs/2107.03374

    >>> round(pass_at_k(samples=5, correct=2, k=2), 6)  # 1 - 3/10
    0.7
    """
    if not 0 <= correct <= samples:
        raise ValueError(
            f"correct must be from 0 to the {samples} samples, got {correct}"
        )
    if not 1 <= k <= samples:
        raise ValueError(
            f"k must be from 1 to the {samples} samples, got {k}: draw at least {k} "
            "samples of each problem"
        )
    if samples - correct < k:  # every choice of k samples contains a correct one
        return 1.0
    return 1.0 - math.prod(
        1.0 - k / number for number in range(samples - correct + 1, samples + 1)
    )


def pass_at_k_table(
    passed: Sequence[Sequence[bool]], ks: Sequence[int]
) -> dict[int, Interval]:
    """Average pass@k over problems, each with a bootstrap interval over the problems.

    The problems are the unit: more samples of the same problems make the estimate for
    these problems more precise, but say nothing about other problems.

    Args:
        passed: For each problem, whether each of its samples passed all tests. Problems
            may have different numbers of samples.
        ks: Numbers of tries; the table has an interval for each.

    Raises:
        ValueError: If there are fewer than two problems, or one of `ks` is not from 1
            to the smallest number of samples.

    >>> table = pass_at_k_table([[True, False], [False, False], [True, True]], [1, 2])
    >>> print(table[1], "|", table[2])
    0.5 (95% interval 0.0 to 1.0) | 0.7 (95% interval 0.0 to 1.0)
    """
    return {
        k: bootstrap_interval([pass_at_k(len(row), sum(row), k) for row in passed])
        for k in ks
    }


@dataclass(frozen=True)
class WinnersCurse:
    """Accuracies of a choice among candidates, averaged over random splits.

    Attributes:
        promised: Accuracy of the chosen candidate on the items it was chosen by.
        held_out: Its accuracy on the other items.
        average: Accuracy of all candidates on the other items: what a choice by chance
            gives.
        best: Accuracy on the other items of the candidate that is best on them.
    """

    promised: float
    held_out: float
    average: float
    best: float

    @property
    def gap(self) -> float:
        """The amount by which the chosen candidate is worse than it looked."""
        return self.promised - self.held_out


def winners_curse(
    right: Bool[Tensor, "candidate item"], development: int, splits: int = 2000
) -> WinnersCurse:
    """Choose the best candidate on some of the items and judge it on the others, for
    many random splits of the items.

    Candidates with equal scores are chosen among by chance. The chosen one's score is
    too high on average, because it was chosen for its luck as well as for its quality.

    Args:
        right: True where a candidate got an item right.
        development: The number of items that the choice is based on.

    Raises:
        ValueError: If there is no candidate, there is no item on one side of the split,
            or `splits` is below 1.

    Source: Thaler (1988), Anomalies: The Winner's Curse,
        https://doi.org/10.1257/jep.2.1.191

    >>> coins = torch.rand(20, 100, generator=torch.Generator().manual_seed(0)) < 0.5
    >>> curse = winners_curse(coins, development=10)
    >>> curse.promised > 0.75, curse.held_out < 0.6
    (True, True)
    """
    candidates, items = right.shape
    if candidates < 1 or not 1 <= development < items or splits < 1:
        raise ValueError(
            "There must be a candidate, a split, and at least one item on both sides; "
            f"got {candidates} candidates, {splits} splits, and {development} of "
            f"{items} items to choose by."
        )
    right = right.cpu()  # small, and the generator draws there
    generator = torch.Generator().manual_seed(0)
    sums = torch.zeros(4, dtype=torch.float64)
    for _ in range(splits):
        order = torch.randperm(items, generator=generator)
        scores = right[:, order[:development]].double().mean(dim=1)
        held_out = right[:, order[development:]].double().mean(dim=1)
        ties = torch.rand(candidates, generator=generator) / items**2
        chosen = int((scores + ties).argmax())
        sums += torch.stack(
            [scores[chosen], held_out[chosen], held_out.mean(), held_out.max()]
        )
    return WinnersCurse(*(sums / splits).tolist())


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
        for number, first in enumerate(firsts):
            if is_same(first, answer):
                numbers.append(number)
                break
        else:
            numbers.append(len(firsts))
            firsts.append(answer)
    return numbers


def semantic_entropy(
    answers: Sequence[str], is_same: Callable[[str, str], bool]
) -> float:
    """Return the entropy of the meanings of sampled answers to one question, in nats:
    the discrete version, which needs no probabilities.

    Args:
        is_same: Decides whether two answers mean the same.

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


def contextual_calibration(
    scores: Float[Tensor, "item label"], null_scores: Float[Tensor, "null label"]
) -> Float[Tensor, "item label"]:
    r"""Divide the probability of each label by the one that it has for questions
    without content, and return the logarithms.

    $$s'_{ij} = \ln p_{ij} - \ln \bar p_j$$

    Here $p_{ij}$ are item i's probabilities of the labels, which sum to 1 over the
    labels, and $\bar p_j$ is their mean over the questions without content, such as
    "N/A". Scores are log-likelihoods.

    Raises:
        ValueError: If the numbers of labels differ, or there is nothing to average.

    Source: Zhao et al. (2021), Calibrate Before Use, section 5,
        https://arxiv.org/abs/2102.09690

    >>> import torch
    >>> scores = torch.tensor([[-1.0, -2.0], [-1.0, -4.0]])
    >>> contextual_calibration(scores, torch.tensor([[-1.0, -3.0]])).argmax(dim=1)
    tensor([1, 0])
    """
    if not len(null_scores) or null_scores.shape[1] != scores.shape[1]:
        raise ValueError(
            "null_scores must have at least one row, and as many labels as scores; got "
            f"the shapes {tuple(null_scores.shape)} and {tuple(scores.shape)}."
        )
    null_probabilities = null_scores.softmax(dim=1).mean(dim=0)
    return scores.log_softmax(dim=1) - null_probabilities.log()


def batch_calibration(
    scores: Float[Tensor, "item label"],
) -> Float[Tensor, "item label"]:
    """Subtract from each label's scores, log-likelihoods, their median over the items.

    Scores are first centred: an item's mean over the labels is subtracted. With two
    labels, half of the items then get each label, so the method assumes that both are
    equally frequent. It needs no correct answers, but many items at once.

    Raises:
        ValueError: If there are no items.

    Source: after Zhou et al. (2023), Batch Calibration, which uses means,
        https://arxiv.org/abs/2309.17249

    >>> import torch
    >>> scores = torch.tensor([[-1.0, -2.0], [-1.0, -4.0]])
    >>> batch_calibration(scores).argmax(dim=1)
    tensor([1, 0])
    """
    if not len(scores):
        raise ValueError("There must be at least one item to calibrate on.")
    centred = scores - scores.mean(dim=1, keepdim=True)
    return centred - centred.quantile(0.5, dim=0)
