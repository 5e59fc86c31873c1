"""Probabilistic principal component analysis: a few latent variables, a linear map to
many observed ones, and noise.

    z ~ N(0, I)          the latent vector
    x = W z + mean + e   e ~ N(0, noise_variance I)
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .gaussian import LOG_TWO_PI, check_data, check_weights, fit_gaussian


@dataclass(frozen=True)
class PPCA:
    """A fitted probabilistic PCA.

    Attributes:
        mean: The centre of the data.
        loadings: W. Column k is what one unit of latent variable k adds to x; the
            columns are orthogonal, the longest first.
        noise_variance: Variance of the noise in every coordinate.
    """

    mean: Float[Tensor, "dim"]
    loadings: Float[Tensor, "dim latent"]
    noise_variance: float

    def _precision(self) -> Float[Tensor, "latent latent"]:
        """Return M = Wᵀ W + noise_variance I, which is only as large as the latent
        space and replaces the covariance of x.
        """
        return self.loadings.T @ self.loadings + self.noise_variance * _identity(
            self.loadings.shape[1], self.mean.device
        )

    def encode(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n latent"]:
        """Return the mean of p(z | x): the latent vectors that best explain the rows of
        x.

        Source: Tipping and Bishop (1999), Probabilistic principal component analysis,
        equation 6.
        """
        centred = check_data(x, dim=len(self.mean)) - self.mean
        return torch.linalg.solve(self._precision(), self.loadings.T @ centred.T).T

    def latent_covariance(self) -> Float[Tensor, "latent latent"]:
        """Return the covariance of p(z | x): the uncertainty about z given x. It is the
        same for every x.
        """
        return self.noise_variance * torch.linalg.inv(self._precision())

    def decode(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n dim"]:
        """Return the mean of p(x | z): W z + mean, without the noise."""
        return check_data(z, dim=self.loadings.shape[1]) @ self.loadings.T + self.mean

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return the exact logarithm of the density at each row, in nats.

        x is Gaussian with covariance W Wᵀ + noise_variance I; inverse and determinant
        follow from the small matrix M.

        Source: Tipping and Bishop (1999), section 3.1 and appendix A.
        """
        centred = check_data(x, dim=len(self.mean)) - self.mean
        dim, latent = self.loadings.shape
        factor = torch.linalg.cholesky(self._precision())
        latents = torch.linalg.solve_triangular(
            factor, self.loadings.T @ centred.T, upper=False
        )
        explained = latents.square().sum(dim=0)
        distance = (centred.square().sum(dim=1) - explained) / self.noise_variance
        log_determinant = 2 * factor.diagonal().log().sum() + (dim - latent) * math.log(
            self.noise_variance
        )
        return -0.5 * (dim * LOG_TWO_PI + log_determinant + distance)

    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw new rows: decode random latent vectors, and add noise."""
        dim, latent = self.loadings.shape
        z = torch.randn(count, latent, generator=generator, dtype=torch.float64)
        clean = self.decode(z.to(self.mean.device))
        noise = torch.randn(count, dim, generator=generator, dtype=torch.float64)
        return clean + math.sqrt(self.noise_variance) * noise.to(self.mean.device)

    def parameter_count(self) -> int:
        """Return the number of entries of the mean, the noise and W, without those that
        only rotate the latent space.
        """
        dim, latent = self.loadings.shape
        return dim + 1 + dim * latent - latent * (latent - 1) // 2


def fit_ppca(
    x: Float[Tensor, "n dim"], weights: Float[Tensor, "n"] | None = None, *, latent: int
) -> PPCA:
    """Fit probabilistic PCA by maximum likelihood, in closed form.

    The columns of W point along the directions in which the data varies most; the noise
    is the mean variance of all the directions that are left out.

    Raises:
        ValueError: If `latent` is not between 1 and the number of coordinates, or the
            data does not vary beyond `latent` directions, so that no noise is left and
            the density would be infinite.

    Source: Tipping and Bishop (1999), equations 7 and 8.

    >>> x = torch.tensor([[-2.0, 0.1], [-1.0, -0.1], [1.0, -0.1], [2.0, 0.1]])
    >>> ppca = fit_ppca(x, latent=1)
    >>> ppca.loadings.abs().flatten(), round(ppca.noise_variance, 4)
    (tensor([1.5780, 0.0000], dtype=torch.float64), 0.01)
    """
    x = check_data(x)
    dim = x.shape[1]
    if not 1 <= latent < dim:
        raise ValueError(
            f"latent must be from 1 to {dim - 1}, one less than the {dim} coordinates "
            f"of a row, got {latent}"
        )
    gaussian = fit_gaussian(x, check_weights(weights, x))
    variances, directions = torch.linalg.eigh(gaussian.covariance)  # the smallest first
    variances, directions = variances.flip(0), directions.flip(1)
    noise_variance = variances[latent:].mean().item()
    if noise_variance <= 1e-12 * variances[0].item():
        raise ValueError(
            f"the data does not vary beyond {latent} directions, so nothing is left "
            "for the noise; use a smaller latent, or more examples"
        )
    loadings = (
        _with_fixed_signs(directions[:, :latent])
        * (variances[:latent] - noise_variance).clamp(min=0).sqrt()
    )
    return PPCA(gaussian.mean, loadings, noise_variance)


def _with_fixed_signs(
    directions: Float[Tensor, "dim latent"],
) -> Float[Tensor, "dim latent"]:
    """Flip each direction so that its largest entry is positive: the sign of an
    eigenvector is arbitrary.
    """
    largest = directions.abs().argmax(dim=0, keepdim=True)
    return directions * directions.gather(0, largest).sign()


def _identity(size: int, device: torch.device) -> Float[Tensor, "size size"]:
    return torch.eye(size, dtype=torch.float64, device=device)
