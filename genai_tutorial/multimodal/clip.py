"""Contrastive learning: images and captions find each other within a batch."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .encoders import (
    ImageEncoder,
    ImageEncoderConfig,
    TextEncoder,
    TextEncoderConfig,
    initialize,
)


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
    classifier that needs no labelled image. All vectors have length 1.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, section 3.1.2, https://arxiv.org/abs/2103.00020
    """
    return (images @ classes.T).argmax(dim=1)


def hit_rate_at_k(
    queries: Float[Tensor, "query features"],
    candidates: Float[Tensor, "candidate features"],
    k: int,
) -> float:
    """Return the share of queries whose partner is among the k candidates with the
    largest cosine; arguments and errors as for `hits_at_k`.

    >>> hit_rate_at_k(torch.eye(3), torch.eye(3), k=1)
    1.0
    >>> hit_rate_at_k(torch.eye(3), torch.ones(3, 3), k=1)
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


FIRST_SCALE = 1 / 0.07
"""The initial factor of the cosines."""

LARGEST_SCALE = 100.0
"""The largest factor of the cosines: sharper softmaxes make training unstable."""


@dataclass(frozen=True)
class CLIPConfig:
    """The settings of CLIP.

    Attributes:
        shared_width: The number of features of the vectors that are compared.
    """

    image: ImageEncoderConfig
    text: TextEncoderConfig
    shared_width: int


class CLIP(nn.Module):
    """Two encoders, each with a linear layer into a shared space.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, section 2.3, https://arxiv.org/abs/2103.00020
    """

    def __init__(self, config: CLIPConfig, seed: int = 0):
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config.image, seed)
        self.text_encoder = TextEncoder(config.text, seed + 1)
        self.projections = nn.ModuleDict(
            {
                name: nn.Linear(part.encoder.width, config.shared_width, bias=False)
                for name, part in (("image", config.image), ("text", config.text))
            }
        )
        initialize(self.projections, seed + 2)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """The factor of the cosines: the learned inverse of the temperature, at most
        `LARGEST_SCALE`.
        """
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)

    def embed_images(
        self, images: Float[Tensor, "image channel height width"]
    ) -> Float[Tensor, "image features"]:
        """Return a vector of length 1 for each image."""
        return functional.normalize(
            self.projections["image"](self.image_encoder(images)), dim=1
        )

    def embed_texts(
        self, ids: Int[Tensor, "text token"]
    ) -> Float[Tensor, "text features"]:
        """Return a vector of length 1 for each text."""
        return functional.normalize(
            self.projections["text"](self.text_encoder(ids).pooled), dim=1
        )

    def forward(
        self,
        images: Float[Tensor, "image channel height width"],
        ids: Int[Tensor, "text token"],
    ) -> Float[Tensor, "image text"]:
        """Return the score of each image and text for `contrastive_loss`: their
        cosine, times the scale.
        """
        return self.scale * self.embed_images(images) @ self.embed_texts(ids).T
