"""Optimizers: AdamW, with a step size for each parameter, Muon, with updates of the
matrices inside a network that change all directions at the same speed, and the two
combined for the parameters of a model.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor, nn


class AdamW(torch.optim.Optimizer):
    """Adam with weight decay that is decoupled from the gradient.

    The update of a parameter w with gradient g at step t:

        m = beta1 m + (1 - beta1) g          running mean of the gradients
        v = beta2 v + (1 - beta2) g^2        running mean of their squares
        w = w - lr * weight_decay * w
        w = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

    m and v start at zero; dividing by 1 - beta^t corrects this bias in the first steps.

    Args:
        parameters: The parameters to train, or groups of them with their own settings.
        lr: The learning rate: roughly how far each parameter moves in a step.
        betas: Decay rates of the running means m and v.
        epsilon: Keeps the division finite where gradients have been zero.
        weight_decay: The fraction of each parameter that a step removes, per unit of
            learning rate.

    Raises:
        ValueError: If a setting is out of range.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, algorithm 2,
        https://arxiv.org/abs/1711.05101

    >>> weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    >>> optimizer = AdamW([weight], lr=0.1, weight_decay=0.0)
    >>> weight.grad = torch.tensor([0.001, -50.0])
    >>> optimizer.step()  # the first step has the same size for both
    >>> weight.detach()
    tensor([ 0.9000, -1.9000])
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.95),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        if not lr >= 0 or not weight_decay >= 0 or not epsilon > 0:
            raise ValueError(
                "lr and weight_decay must be at least 0 and epsilon above 0; got "
                f"{lr=}, {weight_decay=}, {epsilon=}."
            )
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(
                f"betas must be two numbers from 0 to below 1, got {betas}."
            )
        settings = {"lr": lr, "betas": betas, "epsilon": epsilon}
        super().__init__(parameters, settings | {"weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state, gradient = self.state[parameter], parameter.grad
                if not state:
                    state["step"] = 0
                    state["mean"] = torch.zeros_like(parameter)
                    state["mean_square"] = torch.zeros_like(parameter)
                state["step"] += 1
                state["mean"].lerp_(gradient, 1 - beta1)
                state["mean_square"].mul_(beta2).addcmul_(
                    gradient, gradient, value=1 - beta2
                )
                corrected_mean_square = state["mean_square"] / (
                    1 - beta2 ** state["step"]
                )
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.addcdiv_(
                    state["mean"],
                    corrected_mean_square.sqrt_().add_(group["epsilon"]),
                    value=-group["lr"] / (1 - beta1 ** state["step"]),
                )


NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""The polynomial's coefficients: they raise small singular values fast, but bring them
only near 1.
"""


def orthogonalize(
    matrices: Float[Tensor, "*batch rows columns"], iterations: int = 5
) -> Float[Tensor, "*batch rows columns"]:
    """Bring all singular values of each matrix near 1 and keep its singular vectors,
    without computing a singular value decomposition.

    Each iteration applies the odd polynomial a s + b s^3 + c s^5 to every singular
    value s, with matrix products only: if X = U S V', then X X' X = U S^3 V'. Five
    iterations bring values from 0.01 to 1 into about 0.7 to 1.2.

    Source: Jordan, Muon: An optimizer for hidden layers in neural networks,
    https://kellerjordan.github.io/posts/muon/

    >>> diagonal = torch.diag(torch.tensor([9.0, 4.0, 1.0]))
    >>> values = torch.linalg.svdvals(orthogonalize(diagonal))
    >>> bool(values.min() > 0.65 and values.max() < 1.25)
    True
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices  # the smaller product is rows x rows
    # The sum of squared singular values becomes 1, so that none is above 1.
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(iterations):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Orthogonalized momentum, for the matrices inside a network.

    The update of a matrix W with gradient G:

        B = momentum B + (1 - momentum) G  # a running mean of the gradients
        U = orthogonalize(momentum B + (1 - momentum) G)
        W = W - lr * weight_decay * W
        W = W - lr * sqrt(max(1, rows / columns)) * U

    Matrices of the same shape are orthogonalized as one stack, in fewer, larger matrix
    products. A parameter with more than two dimensions, such as the kernels of a
    convolution, is flattened to a matrix: kernels of shape (out, in, height, width)
    have `out` rows and `in * height * width` columns.

    Args:
        parameters: The matrices and kernels to train, or groups of them with their own
            settings.
        lr: The learning rate: roughly how much a step changes a matrix's effect on a
            vector.
        momentum: Decay rate of the running mean.
        weight_decay: The fraction of each parameter that a step removes, per unit of
            learning rate.
        iterations: Number of times that the Newton-Schulz polynomial is applied.

    Raises:
        ValueError: If a parameter has fewer than two dimensions, or a setting is out of
            range.

    Source: Jordan, Muon: An optimizer for hidden layers in neural networks,
    https://kellerjordan.github.io/posts/muon/
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ):
        if not lr >= 0 or not weight_decay >= 0 or not 0 <= momentum < 1:
            raise ValueError(
                "lr and weight_decay must be at least 0 and momentum from 0 to below "
                f"1; got {lr=}, {weight_decay=}, {momentum=}."
            )
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, settings | {"iterations": iterations})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.dim() < 2:
                    raise ValueError(
                        "Muon trains only matrices and kernels, got a parameter of "
                        f"shape {tuple(parameter.shape)}: give it to AdamW, as "
                        "build_optimizer does."
                    )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            for _, same in groupby(sorted(trained, key=_shape), key=_shape):
                self._step_stack(list(same), group)

    def _step_stack(self, parameters: list[nn.Parameter], group: dict) -> None:
        directions, shape = [], parameters[0].shape
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["mean"] = torch.zeros_like(parameter)
            state["mean"].lerp_(parameter.grad, 1 - group["momentum"])
            # Nesterov momentum: look one step ahead
            directions.append(parameter.grad.lerp(state["mean"], group["momentum"]))
        updates = orthogonalize(torch.stack(directions).flatten(2), group["iterations"])
        # In a tall matrix, the same change is spread over more numbers.
        step_size = group["lr"] * max(1.0, shape[0] / math.prod(shape[1:])) ** 0.5
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_(update.view(shape), alpha=step_size)


def _shape(parameter: nn.Parameter) -> tuple[int, ...]:
    return tuple(parameter.shape)


@dataclass(frozen=True)
class OptimizerSettings:
    """Learning rates for the kinds of parameters, and other settings of Muon and AdamW.

    Attributes:
        matrix_lr: Learning rate of the matrices inside the network (Muon).
        kernel_lr: Learning rate of the convolution kernels inside the network (Muon);
            None trains them by AdamW with `vector_lr`.
        embedding_lr: Learning rate of embeddings, whose rows get a gradient only when
            their token occurs (AdamW).
        vector_lr: Learning rate of everything else: gains, biases, positions (AdamW).
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
    `nn.Embedding`; matrices are the weights of all other `nn.Linear`; kernels are the
    weights of all other `nn.Conv2d`; vectors are the rest.

    >>> layers = {"embed": nn.Embedding(9, 4), "head": nn.Linear(4, 9)}
    >>> model = nn.ModuleDict({"inner": nn.Linear(4, 4)} | layers)
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
        settings: None for those that suit the book's small Transformers.

    Raises:
        ValueError: If the model has no trainable parameters.
    """
    settings = settings or OptimizerSettings()
    groups = parameter_groups(model)
    if settings.kernel_lr is None:
        groups["vectors"] += groups["kernels"]
        groups["kernels"] = []

    def with_rates(**rates: float | None) -> list[dict]:
        return [
            {"params": groups[kind], "lr": rate}
            for kind, rate in rates.items()
            if groups[kind]
        ]

    muon_groups = with_rates(matrices=settings.matrix_lr, kernels=settings.kernel_lr)
    adamw_groups = with_rates(
        embeddings=settings.embedding_lr,
        head=settings.head_lr,
        vectors=settings.vector_lr,
    )
    optimizers: list[torch.optim.Optimizer] = []
    decay = settings.weight_decay
    if muon_groups:
        momentum, iterations = settings.momentum, settings.iterations
        muon = Muon(
            muon_groups, momentum=momentum, weight_decay=decay, iterations=iterations
        )
        optimizers.append(muon)
    if adamw_groups:
        # With so small an epsilon, even rarely used rows of an embedding move by their
        # full learning rate.
        adamw = AdamW(
            adamw_groups, betas=settings.betas, epsilon=1e-10, weight_decay=decay
        )
        optimizers.append(adamw)
    if not optimizers:
        raise ValueError(
            "The model has no parameter that requires a gradient, so there is nothing "
            "to train."
        )
    return CombinedOptimizer(optimizers)
