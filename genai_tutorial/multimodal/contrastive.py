"""Contrastive learning: each image has to find its caption among all captions of the
batch, and each caption its image.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


def contrastive_loss(scores: Float[Tensor, "image text"]) -> Float[Tensor, ""]:
    """Return the symmetric contrastive loss in nats: the cross-entropy of each image's
    choice among the texts, and of each text's choice among the images.

    Pairs with the same meaning in one batch count as wrong for each other, so draw
    batches of different captions.

    Args:
        scores: Similarity of each image and text, as `CLIP` returns it; matching pairs
            are on the diagonal.

    Raises:
        ValueError: If there are not as many images as texts.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, figure 3, https://arxiv.org/abs/2103.00020

    >>> contrastive_loss(torch.zeros(2, 2))  # no pair scores higher: ln 2
    tensor(0.6931)
    >>> contrastive_loss(20.0 * torch.eye(2)) < 1e-6
    tensor(True)
    """
    _check_square(scores)
    targets = torch.arange(len(scores), device=scores.device)  # the diagonal
    of_images = functional.cross_entropy(scores, targets)
    of_texts = functional.cross_entropy(scores.T, targets)
    return (of_images + of_texts) / 2


def sigmoid_loss(scores: Float[Tensor, "image text"]) -> Float[Tensor, ""]:
    """Return the loss of SigLIP: each pair of an image and a text is a binary
    classification, match or no match, independent of all other pairs.

    Args:
        scores: Similarity of each image and text plus a learned bias; matching pairs
            are on the diagonal.

    Raises:
        ValueError: If there are not as many images as texts.

    Source: Zhai et al., Sigmoid Loss for Language Image Pre-Training, algorithm 1,
        https://arxiv.org/abs/2303.15343

    >>> sigmoid_loss(torch.zeros(2, 2))  # four coin tosses for two images: 2 ln 2
    tensor(1.3863)
    """
    _check_square(scores)
    labels = 2 * torch.eye(len(scores), device=scores.device) - 1  # 1 or -1
    return -functional.logsigmoid(labels * scores).sum() / len(scores)


def _check_square(scores: Float[Tensor, "image text"]) -> None:
    if scores.shape[0] != scores.shape[1]:
        raise ValueError(
            f"Each image needs its text, got {scores.shape[0]} images and "
            f"{scores.shape[1]} texts."
        )


def classify_zero_shot(
    images: Float[Tensor, "image features"], classes: Float[Tensor, "class features"]
) -> Int[Tensor, "image"]:
    """Return for each image the class whose description has the largest cosine: a
    classifier that needs no labelled image.

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
    """Return the share of queries whose partner is among the k candidates with the
    largest cosine.

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
    """Return for each query whether its partner is among the k candidates with the
    largest cosine.

    A tie counts as a miss, so that equal vectors gain nothing.

    Args:
        queries: Vectors of length 1, of images or of texts.
        candidates: The vectors of their partners, in the same order.
        k: The number of candidates that count.

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
    # The partner itself counts, so 1 is the best rank.
    rank = (scores >= scores.diagonal()[:, None]).sum(dim=1)
    return rank <= k
