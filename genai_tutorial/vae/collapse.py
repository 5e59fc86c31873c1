"""Posterior collapse, in which q(z | x) equals the prior and z carries no information
about x.
"""

from jaxtyping import Bool, Float
from torch import Tensor


def active_units(
    means: Float[Tensor, "n latent"], threshold: float = 0.01
) -> Bool[Tensor, "latent"]:
    """Find the active latent dimensions, whose mean differs from image to image.

    Args:
        means: Mean of q(z | x) for many images, one per row.
        threshold: Minimum variance of the means of an active dimension. The prior has
            variance 1, so the usual 0.01 is far from both used dimensions (near 1) and
            unused ones (near 0).

    Raises:
        ValueError: If there are fewer than two images.

    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, section
        5.2, https://arxiv.org/abs/1509.00519

    >>> import torch
    >>> active_units(torch.tensor([[1.0, 0.01], [-1.0, -0.01]])).tolist()
    [True, False]
    """
    if len(means) < 2:
        raise ValueError(f"a variance needs at least 2 images, got {len(means)}")
    return means.var(dim=0) > threshold
