"""Removing a model's preference for some labels from their scores.

A prompt's wording and demonstrations make some labels more probable whatever the
question is. The order of the scores is often right where the threshold is not.
"""

from jaxtyping import Float
from torch import Tensor


def contextual_calibration(
    scores: Float[Tensor, "item label"], null_scores: Float[Tensor, "null label"]
) -> Float[Tensor, "item label"]:
    r"""Divide the probability of each label by the one that it has for questions
    without content, and return the logarithms.

    $$s'_{ij} = \ln p_{ij} - \ln \bar p_j$$

    Here $p_{ij}$ are item i's probabilities of the labels, which sum to 1 over the
    labels, and $\bar p_j$ is their mean over the questions without content, such as
    "N/A".

    Args:
        scores: The log-likelihood of each label.
        null_scores: The same for the questions without content.

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
    """Subtract from each label's scores their median over the items.

    Scores are first centred: an item's mean over the labels is subtracted. With two
    labels, half of the items then get each label, so the method assumes that both are
    equally frequent. It uses no right answers, but it needs many items at once.

    Args:
        scores: The log-likelihood of each label.

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
