"""The optimizers of a model's parameters: Muon for the matrices inside it, AdamW for
the rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .adamw import AdamW
from .muon import Muon


@dataclass(frozen=True)
class OptimizerSettings:
    """Learning rates for the kinds of parameters, and the optimizers' other settings.

    Attributes:
        matrix_lr: Learning rate of the matrices inside the network (Muon).
        kernel_lr: Learning rate of the convolution kernels inside the network (Muon);
            None trains them by AdamW with `vector_lr`.
        embedding_lr: Learning rate of embeddings, whose rows get a gradient only when
            their token occurs (AdamW).
        head_lr: Learning rate of the output layer (AdamW).
        vector_lr: Learning rate of everything else: gains, biases, positions (AdamW).
        momentum: Decay rate of Muon's running mean.
        betas: Decay rates of AdamW's running means.
        weight_decay: The fraction of each parameter that a step removes, per unit of
            learning rate, in both optimizers.
        iterations: Number of times that Muon applies its polynomial.
    """

    matrix_lr: float = 0.02
    kernel_lr: float | None = None
    embedding_lr: float = 0.01
    head_lr: float = 0.005
    vector_lr: float = 0.01
    momentum: float = 0.95
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    iterations: int = 5


class CombinedOptimizer:
    """Several optimizers, each for its own parameters, with the interface of one."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]):
        self.optimizers = list(optimizers)

    @property
    def param_groups(self) -> list[dict]:
        """The parameter groups of all optimizers; schedules change their rates."""
        return [
            group for optimizer in self.optimizers for group in optimizer.param_groups
        ]

    def step(self) -> None:
        """Update all parameters."""
        for optimizer in self.optimizers:
            optimizer.step()

    def zero_grad(self) -> None:
        """Clear all gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def state_dict(self) -> dict:
        """Return the state of all optimizers."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state: dict) -> None:
        """Restore the result of `state_dict`."""
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def parameter_groups(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Sort a model's parameters into matrices, kernels, embeddings, head and vectors.

    The head is everything in a module called `head`; embeddings are the weights of
    `nn.Embedding`; matrices are the weights of all other `nn.Linear`; kernels those of
    all other `nn.Conv2d`; vectors are the rest.

    >>> model = nn.ModuleDict(
    ...     {
    ...         "embed": nn.Embedding(9, 4),
    ...         "inner": nn.Linear(4, 4),
    ...         "head": nn.Linear(4, 9),
    ...     }
    ... )
    >>> {name: len(parameters) for name, parameters in parameter_groups(model).items()}
    {'matrices': 1, 'kernels': 0, 'embeddings': 1, 'head': 2, 'vectors': 1}
    """
    kinds = ("matrices", "kernels", "embeddings", "head", "vectors")
    groups: dict[str, list[nn.Parameter]] = {kind: [] for kind in kinds}
    seen = set()
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter in seen or not parameter.requires_grad:
                continue
            seen.add(parameter)
            if "head" in module_name.split("."):
                kind = "head"
            elif isinstance(module, nn.Embedding):
                kind = "embeddings"
            elif isinstance(module, nn.Linear) and name == "weight":
                kind = "matrices"
            elif isinstance(module, nn.Conv2d) and name == "weight":
                kind = "kernels"
            else:
                kind = "vectors"
            groups[kind].append(parameter)
    return groups


def build_optimizer(
    model: nn.Module, settings: OptimizerSettings | None = None
) -> CombinedOptimizer:
    """Build Muon for the matrices inside a model (and for its kernels if `kernel_lr` is
    set), and AdamW for the rest.

    Args:
        settings: Learning rates and more; None for those that suit the book's small
            Transformers.

    Raises:
        ValueError: If the model has no trainable parameters.
    """
    settings = settings or OptimizerSettings()
    groups = parameter_groups(model)
    rates = {
        "embeddings": settings.embedding_lr,
        "head": settings.head_lr,
        "vectors": settings.vector_lr,
    }
    muon_groups = (
        [{"params": groups["matrices"], "lr": settings.matrix_lr}]
        if groups["matrices"]
        else []
    )
    if settings.kernel_lr is None:
        groups["vectors"] += groups["kernels"]
    elif groups["kernels"]:
        muon_groups.append({"params": groups["kernels"], "lr": settings.kernel_lr})
    adamw_groups = [
        {"params": groups[kind], "lr": rate}
        for kind, rate in rates.items()
        if groups[kind]
    ]
    optimizers: list[torch.optim.Optimizer] = []
    if muon_groups:
        optimizers.append(
            Muon(
                muon_groups,
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
                iterations=settings.iterations,
            )
        )
    if adamw_groups:
        # With so small an epsilon, even rarely used rows of an embedding move by their
        # full learning rate.
        optimizers.append(
            AdamW(
                adamw_groups,
                betas=settings.betas,
                epsilon=1e-10,
                weight_decay=settings.weight_decay,
            )
        )
    if not optimizers:
        raise ValueError(
            "The model has no parameter that requires a gradient, so there is nothing "
            "to train."
        )
    return CombinedOptimizer(optimizers)


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> torch.Tensor:
    """Scale all gradients down by one factor, if necessary, so that their total norm is
    at most `max_norm` (gradient clipping).

    Args:
        parameters: The parameters whose gradients count; frozen ones are ignored.
        max_norm: Maximum norm, above 0.

    Returns:
        The norm before clipping; 0 if no parameter has a gradient.

    Source: Pascanu et al., On the difficulty of training recurrent neural networks,
        algorithm 1, https://arxiv.org/abs/1211.5063

    >>> weight = nn.Parameter(torch.zeros(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> clip_gradients([weight], max_norm=1.0), weight.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}.")
    gradients = [
        parameter.grad
        for parameter in parameters
        if parameter.requires_grad and parameter.grad is not None
    ]
    if not gradients:
        return torch.zeros(())
    length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, (max_norm / (length + 1e-6)).clamp(max=1.0))
    return length
