"""Private training (DP-SGD): the gradient of every record is computed and clipped on
its own, and noise hides what any single one adds to the sum.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from .fit import training_loop
from .optimizers import CombinedOptimizer

Gradients = dict[str, Tensor]
"""The gradient of each parameter, by the parameter's name."""


@dataclass(frozen=True)
class PrivacySettings:
    """The settings of private training.

    Attributes:
        clip_norm: The norm to which each record's gradient is clipped; infinite for no
            clipping.
        noise_multiplier: The standard deviation of the noise, divided by `clip_norm`; 0
            for no noise, and then training is not private.
        sampling_rate: The probability with which each record takes part in a step.

    Raises:
        ValueError: If a setting is out of range, or there is noise without clipping.
    """

    clip_norm: float | int
    noise_multiplier: float | int
    sampling_rate: float | int

    def __post_init__(self):
        limited = self.clip_norm > 0 and self.noise_multiplier >= 0
        if not limited or not 0 < self.sampling_rate <= 1:
            raise ValueError(
                "clip_norm must be above 0, noise_multiplier 0 or more and "
                f"sampling_rate above 0 and at most 1, got {self}."
            )
        if self.noise_multiplier and math.isinf(self.clip_norm):
            raise ValueError(
                "Noise is measured in units of clip_norm, so it needs a finite one."
            )


@dataclass
class PrivateHistory:
    """A record of private training. It is not private itself.

    Attributes:
        batch_sizes: The number of records that took part in each step.
        median_norms: The median norm of their gradients before clipping.
    """

    batch_sizes: list[int] = field(default_factory=list)
    median_norms: list[float] = field(default_factory=list)


def per_sample_gradients(
    model: nn.Module, batch: Sequence[Tensor], loss_fn: Callable[..., Tensor]
) -> Gradients:
    """Return the gradient of each record's loss, along a new first axis.

    `grad` makes a function that computes the gradient for one record, and `vmap` runs
    it on all records at once.

    Args:
        model: The model; dropout and the like must be off.
        batch: Tensors with records along the first axis.
        loss_fn: As for `fit`; it is called with a batch of one record.

    Source: PyTorch, per-sample-gradients,
        https://docs.pytorch.org/tutorials/intermediate/per_sample_grads.html

    >>> line = nn.Linear(1, 1, bias=False)
    >>> inputs = torch.tensor([[2.0], [5.0]])
    >>> per_sample_gradients(line, (inputs,), lambda model, x: model(x).sum())
    {'weight': tensor([[[2.]],
    <BLANKLINE>
            [[5.]]])}
    """
    trained = {
        name: parameter.detach()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }

    if not len(batch[0]):  # a Poisson sample may be empty, which vmap does not accept
        return {
            name: value.new_zeros(0, *value.shape) for name, value in trained.items()
        }

    def loss_of(parameters: Mapping[str, Tensor], *record: Tensor) -> Tensor:
        def with_parameters(*arguments):
            return functional_call(model, parameters, arguments)

        return loss_fn(with_parameters, *(tensor[None] for tensor in record))

    axes = (None, *(0 for _ in batch))
    # The fused kernels of attention have no rule for vmap; the plain one does.
    with sdpa_kernel(SDPBackend.MATH):
        return vmap(grad(loss_of), in_dims=axes)(trained, *batch)


def gradient_norms(gradients: Mapping[str, Tensor]) -> Float[Tensor, "record"]:
    """Return the norm of each record's gradient over all parameters."""
    squares = [
        g.flatten(1).square().sum(dim=1) if g.dim() > 1 else g.square()
        for g in gradients.values()
    ]
    return torch.stack(squares).sum(dim=0).sqrt()


def clip_and_noise(
    gradients: Mapping[str, Tensor],
    settings: PrivacySettings,
    expected_batch_size: float | int,
    generator: torch.Generator | None = None,
) -> Gradients:
    """Clip each record's gradient, sum over records, add noise to the sum, and divide
    by the expected batch size.

    The noise comes before the division, so a larger batch has less of it. The actual
    batch size is itself information about the records: it must not be divided by.

    Args:
        gradients: From `per_sample_gradients`.
        expected_batch_size: The sampling rate times the number of records.

    Source: Abadi et al., Deep Learning with Differential Privacy, algorithm 1,
    https://arxiv.org/abs/1607.00133

    >>> settings = PrivacySettings(1.0, noise_multiplier=0.0, sampling_rate=0.1)
    >>> clip_and_noise({"a": torch.tensor([3.0, -0.5])}, settings, 2)
    {'a': tensor(0.2500)}
    """
    norms = gradient_norms(gradients)
    scales = (settings.clip_norm / norms.clamp(min=1e-12)).clamp(max=1)
    private = {}
    for name, gradient in gradients.items():
        total = torch.einsum("r,r...->...", scales, gradient)
        if settings.noise_multiplier:
            noise = torch.randn(total.shape, generator=generator, dtype=total.dtype).to(
                total.device
            )
            total = total + settings.noise_multiplier * settings.clip_norm * noise
        private[name] = total / expected_batch_size
    return private


def poisson_sample(
    records: int, rate: float, generator: torch.Generator | None = None
) -> Int[Tensor, "drawn"]:
    """Draw each record with the same probability, independently of the others. The
    accountant assumes this, and not shuffled batches of equal size.
    """
    return (torch.rand(records, generator=generator) < rate).nonzero()[:, 0]


def fit_privately(
    model: nn.Module,
    records: Sequence[Tensor],
    loss_fn: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    settings: PrivacySettings,
    *,
    steps: int,
    seed: int,
    progress: bool = True,
) -> PrivateHistory:
    """Train a model with DP-SGD; `epsilon` says how private it is.

    The optimizer sees only noisy gradients, so its own computation costs no privacy.

    Args:
        records: Tensors with records along the first axis; each record is
            protected.
        loss_fn: Called as `loss_fn(model, *batch)` with one record.
        optimizer: Updates the model's parameters.
        settings: Clipping, noise and sampling.
        seed: Seed of the samples and of the noise. A published seed undoes the privacy:
            it is here so that the book's figures can be computed again.

    Raises:
        ValueError: If `steps` is below 1.

    Source: Abadi et al., Deep Learning with Differential Privacy, algorithm 1,
    https://arxiv.org/abs/1607.00133
    """
    generator = torch.Generator().manual_seed(seed)
    count = len(records[0])
    expected = settings.sampling_rate * count
    history = PrivateHistory()
    parameters = dict(model.named_parameters())
    model.eval()
    for _ in training_loop(steps, label="training privately", progress=progress):
        drawn = poisson_sample(count, settings.sampling_rate, generator)
        gradients = per_sample_gradients(
            model, [tensor[drawn] for tensor in records], loss_fn
        )
        norms = gradient_norms(gradients)
        history.batch_sizes.append(len(drawn))
        history.median_norms.append(norms.median().item() if len(drawn) else 0.0)
        private = clip_and_noise(gradients, settings, expected, generator)
        for name, gradient in private.items():
            parameters[name].grad = gradient
        optimizer.step()
    return history


def renyi_divergence_of_sampled_gaussian(
    sampling_rate: float | int, noise_multiplier: float | int, order: int
) -> float:
    """Return the Rényi divergence of one step with a record from one without it.

    Source: Mironov, Talwar and Zhang, Rényi Differential Privacy of the Sampled
        Gaussian Mechanism, section 3.3, https://arxiv.org/abs/1908.10530
    """
    if sampling_rate == 0:
        return 0.0
    if sampling_rate == 1:
        return order / (2 * noise_multiplier**2)
    # ln of the sum over k of binom(order, k) (1-q)^(order-k) q^k e^((k^2-k) / 2 s^2)
    terms = [
        math.lgamma(order + 1)
        - math.lgamma(k + 1)
        - math.lgamma(order - k + 1)
        + (order - k) * math.log1p(-sampling_rate)
        + k * math.log(sampling_rate)
        + (k * k - k) / (2 * noise_multiplier**2)
        for k in range(order + 1)
    ]
    largest = max(terms)
    total = math.fsum(math.exp(term - largest) for term in terms)
    return max(0.0, (largest + math.log(total)) / (order - 1))


def epsilon(
    sampling_rate: float | int, noise_multiplier: float | int, steps: int, delta: float
) -> float:
    """Return the epsilon of (epsilon, delta) differential privacy after some steps: the
    smallest bound that one of the Rényi divergences of the orders 2 to 64 gives.

    Args:
        sampling_rate: The probability with which each record takes part in a step.
        noise_multiplier: The standard deviation of the noise, divided by the clipping
            norm; without noise, epsilon is infinite.
        delta: The probability with which the bound may fail; below 1 / records.

    Raises:
        ValueError: If an argument is out of range.

    Source: Canonne, Kamath and Steinke, The Discrete Gaussian for Differential Privacy,
        proposition 12, https://arxiv.org/abs/2004.00010

    >>> round(epsilon(0.02, noise_multiplier=1.0, steps=300, delta=1e-5), 4)
    2.5922
    """
    if (
        min(steps, noise_multiplier) < 0
        or not 0 < delta < 1
        or not 0 <= sampling_rate <= 1
    ):
        raise ValueError(
            "steps and noise_multiplier must be 0 or more, delta between 0 and 1 and "
            f"sampling_rate from 0 to 1; got {steps}, {noise_multiplier}, {delta} and "
            f"{sampling_rate}."
        )
    if noise_multiplier == 0:
        return 0.0 if steps == 0 or sampling_rate == 0 else math.inf
    bounds = [
        steps
        * renyi_divergence_of_sampled_gaussian(sampling_rate, noise_multiplier, order)
        + math.log1p(-1 / order)
        - math.log(delta * order) / (order - 1)
        for order in range(2, 65)
    ]
    return max(0.0, min(bounds))
