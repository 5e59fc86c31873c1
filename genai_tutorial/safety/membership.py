"""Membership inference: was this text in the training set? Four attacks, each of which
gives a text a score from what the model thinks of its tokens.

Higher scores mean that the text is more likely a member. `metrics.auroc` and
`metrics.true_positive_rate_at` say how well a score separates the two sets; what counts
is the rate at few false positives, since an accusation should rarely be wrong.
"""

import math
import zlib
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


@torch.no_grad()
def token_losses(
    model: nn.Module, windows: Int[Tensor, "text length"], batch_size: int = 64
) -> Float[Tensor, "text step"]:
    """Return -ln p of each token after the first, in nats.

    Args:
        model: Maps ids to logits, such as a `DecoderLM`.
        windows: Texts of equal length.
        batch_size: The number of texts in a batch.

    Raises:
        ValueError: If there is no text, or they have fewer than two tokens.
    """
    if windows.shape[0] < 1 or windows.shape[1] < 2:
        raise ValueError(
            "There must be at least one text of two tokens or more, got shape "
            f"{tuple(windows.shape)}."
        )
    return torch.cat(
        [
            functional.cross_entropy(
                model(rows[:, :-1]).transpose(1, 2), rows[:, 1:], reduction="none"
            )
            for rows in windows.split(batch_size)
        ]
    )


def loss_attack(losses: Float[Tensor, "text step"]) -> Float[Tensor, "text"]:
    """Return minus the mean loss: members are predicted better.

    Source: Yeom et al., Privacy Risk in Machine Learning, section 3.2,
    https://arxiv.org/abs/1709.01604

    >>> loss_attack(torch.tensor([[1.0, 3.0]]))
    tensor([-2.])
    """
    return -losses.mean(dim=1)


def zlib_attack(
    losses: Float[Tensor, "text step"], texts: Sequence[bytes]
) -> Float[Tensor, "text"]:
    """Return minus the loss per byte of the compressed text: a text that is easy for
    everybody, such as a repetition, is no sign of membership.

    Raises:
        ValueError: If there is not one text per row of losses.

    Source: Carlini et al., Extracting Training Data from Large Language Models, section
        5.2, https://arxiv.org/abs/2012.07805
    """
    if len(texts) != len(losses):
        raise ValueError(f"There are {len(losses)} rows of losses, {len(texts)} texts.")
    sizes = [len(zlib.compress(text)) for text in texts]
    return -losses.sum(dim=1) / losses.new_tensor(sizes)


def min_k_attack(
    losses: Float[Tensor, "text step"], share: float | int = 0.2
) -> Float[Tensor, "text"]:
    """Return minus the mean of the highest losses (Min-K%): a text that was never read
    has a few tokens that surprise the model very much.

    Args:
        losses: From `token_losses`.
        share: The share of the tokens that count.

    Raises:
        ValueError: If the share is not above 0 and at most 1.

    Source: Shi et al., Detecting Pretraining Data from Large Language Models, section
        3, https://arxiv.org/abs/2310.16789

    >>> min_k_attack(torch.tensor([[1.0, 5.0, 2.0, 3.0]]), share=0.5)
    tensor([-4.])
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}.")
    count = math.ceil(round(share * losses.shape[1], 9))
    return -losses.topk(count, dim=1).values.mean(dim=1)


def reference_attack(
    losses: Float[Tensor, "text step"], reference_losses: Float[Tensor, "_ _"]
) -> Float[Tensor, "text"]:
    """Return by how much the model predicts a text better than a reference model that
    has not read it: what is easy for both cancels.

    Args:
        losses: The attacked model's.
        reference_losses: The reference model's, on the same texts.

    Raises:
        ValueError: If the two don't have the same shape.

    Source: Watson et al., On the Importance of Difficulty Calibration in Membership
        Inference Attacks, https://arxiv.org/abs/2111.08440; Carlini et al. train many
        reference models, https://arxiv.org/abs/2112.03570

    >>> reference_attack(torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 3.0]]))
    tensor([0.5000])
    """
    if losses.shape != reference_losses.shape:
        raise ValueError(
            f"Both must have the same shape, got {tuple(losses.shape)} and "
            f"{tuple(reference_losses.shape)}."
        )
    return (reference_losses - losses).mean(dim=1)
