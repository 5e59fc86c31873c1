"""Contrastive learning: of all the captions in a batch, each image shall find its own,
and each caption its image.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


def contrastive_loss(scores: Float[Tensor, "image text"]) -> Float[Tensor, ""]:
    """Return the symmetric contrastive loss: how many nats each image lacks to pick
    its caption, and the reverse.

    Two pairs of the same meaning in a batch count as wrong for each other, so draw
    batches of different captions.

    Args:
        scores: How well each text fits each image, as `CLIP` says; the pairs stand on
            the diagonal.

    Raises:
        ValueError: If there are not as many images as texts.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, figure 3, https://arxiv.org/abs/2103.00020

    >>> contrastive_loss(torch.zeros(2, 2))  # no difference is seen: ln 2
    tensor(0.6931)
    >>> contrastive_loss(20.0 * torch.eye(2)) < 1e-6
    tensor(True)
    """
    if scores.shape[0] != scores.shape[1]:
        raise ValueError(
            f"Each image needs its text, got {scores.shape[0]} images and "
            f"{scores.shape[1]} texts."
        )
    targets = torch.arange(len(scores), device=scores.device)  # the diagonal
    of_images = functional.cross_entropy(scores, targets)
    of_texts = functional.cross_entropy(scores.T, targets)
    return (of_images + of_texts) / 2


def classify_zero_shot(
    images: Float[Tensor, "image features"], classes: Float[Tensor, "class features"]
) -> Int[Tensor, "image"]:
    """Return for each image the class whose description is nearest by the angle: a
    classifier made of words alone.

    Args:
        images: Image vectors of length 1.
        classes: One text vector of length 1 for each class.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, section 3.1.2, https://arxiv.org/abs/2103.00020
    """
    return (images @ classes.T).argmax(dim=1)


def recall_at_k(
    queries: Float[Tensor, "query features"],
    candidates: Float[Tensor, "candidate features"],
    k: int,
) -> float:
    """Return the share of queries whose own partner is among the k candidates that are
    nearest to them by the angle.

    Raises:
        ValueError: If there are not as many candidates as queries, or k is out of
            range.

    >>> recall_at_k(torch.eye(3), torch.eye(3), k=1)
    1.0
    >>> recall_at_k(torch.eye(3), torch.ones(3, 3), k=1)
    0.0
    """
    return float(hits_at_k(queries, candidates, k).double().mean())


def hits_at_k(
    queries: Float[Tensor, "query features"],
    candidates: Float[Tensor, "candidate features"],
    k: int,
) -> Bool[Tensor, "query"]:
    """Say of each query whether its own partner is among the k candidates that are
    nearest to it by the angle.

    A candidate that is exactly as near as the partner counts as nearer, so that equal
    vectors win nothing.

    Args:
        queries: Vectors of length 1, of images or of texts.
        candidates: The vectors of their partners, in the same order.
        k: How many candidates are looked at.

    Raises:
        ValueError: If there are not as many candidates as queries, or k is out of
            range.

    >>> candidates = torch.eye(2)
    >>> hits_at_k(candidates[[0, 0]], candidates, k=1).tolist()
    [True, False]
    """
    if len(queries) != len(candidates):
        raise ValueError(
            f"Each query needs its partner, got {len(queries)} queries and "
            f"{len(candidates)} candidates."
        )
    if not 1 <= k <= len(candidates):
        raise ValueError(
            f"k must be from 1 to the number of candidates, {len(candidates)}, got {k}."
        )
    scores = queries @ candidates.T
    # Counted with the partner itself, so 1 is the best rank.
    rank = (scores >= scores.diagonal()[:, None]).sum(dim=1)
    return rank <= k
