"""LoRA: parameter-efficient fine-tuning that freezes the model's matrices and learns a
low-rank correction for each, which starts at zero.

    y = W x + (alpha / rank) · B A x        A: rank x inputs,  B: outputs x rank
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class LoRAConfig:
    """The size of the added matrices, and the layers that get them.

    Attributes:
        rank: The number of rows of A and of columns of B.
        alpha: The product is multiplied by alpha / rank, so that the learning rate
            need not change with the rank.
        targets: The linear layers that get a correction, by the end of their names:
            "query" for the query layers of all blocks, "feed_forward.output" for one of
            two layers with the same last name.

    Raises:
        ValueError: If a number is not positive, or there are no targets.
    """

    rank: int = 8
    alpha: float | int = 16
    targets: tuple[str, ...] = ("query", "value")

    def __post_init__(self):
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, got {self.rank}.")
        if not self.alpha > 0:
            raise ValueError(f"alpha must be above 0, got {self.alpha}.")
        if not self.targets:
            raise ValueError(
                "targets must name at least one linear layer, such as 'query'."
            )


class LoRALinear(nn.Module):
    """A frozen linear layer with a trained low-rank correction.

    Args:
        base: The layer; its weights no longer get gradients.
        alpha: The correction is multiplied by alpha / rank.
        generator: Random generator for the initial A; None for torch's global one.

    Source: Hu et al., LoRA, equation 3, https://arxiv.org/abs/2106.09685
    """

    def __init__(
        self,
        base: nn.Linear,
        rank: int,
        alpha: float | int,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        weight = base.weight
        source = weight if generator is None else generator  # draws on its own device
        down = torch.empty(
            rank, base.in_features, dtype=weight.dtype, device=source.device
        )
        self.up = nn.Parameter(weight.new_zeros(base.out_features, rank))
        bound = 1 / math.sqrt(base.in_features)  # the initialization of nn.Linear
        nn.init.uniform_(down, -bound, bound, generator=generator)
        self.down = nn.Parameter(down.to(weight.device))
        self.merged, self.on = False, True

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Return the output of the frozen layer plus the correction."""
        y = self.base(x)
        if self.merged or not self.on:
            return y
        return y + self.scale * functional.linear(
            functional.linear(x, self.down), self.up
        )

    @torch.no_grad()
    def difference(self) -> Float[Tensor, "out in"]:
        """Return the correction to the frozen weights: (alpha / rank) · B A."""
        return self.scale * self.up @ self.down


def add_lora(
    model: nn.Module, config: LoRAConfig, generator: torch.Generator | None = None
) -> None:
    """Freeze a model, and add a correction to each linear layer that the config names.

    Raises:
        ValueError: If a target names no linear layer of the model, or the model has
            LoRA already.
    """
    if any(lora_layers(model)):
        raise ValueError(
            "The model has LoRA already: fold_lora turns it into plain layers."
        )
    linears = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    chosen = {
        target: [name for name in linears if f".{name}".endswith(f".{target}")]
        for target in config.targets
    }
    for target, names in chosen.items():
        if not names:
            known = sorted({name.rpartition(".")[2] for name in linears})
            raise ValueError(
                f"The model has no linear layer {target!r}; it has "
                f"{', '.join(known) or 'none'}."
            )
    model.requires_grad_(False)
    for name in linears:  # in the model's order, not the targets'
        if any(name in names for names in chosen.values()):
            model.set_submodule(
                name, LoRALinear(linears[name], config.rank, config.alpha, generator)
            )


def lora_layers(model: nn.Module) -> Iterator[tuple[str, LoRALinear]]:
    """Yield the layers with a correction, and their names."""
    return (
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, LoRALinear)
    )


@torch.no_grad()
def merge_lora(model: nn.Module) -> None:
    """Add the corrections to the frozen weights, so that the model is as fast as
    without LoRA.
    """
    for _, layer in lora_layers(model):
        if not layer.merged:
            layer.base.weight += layer.difference()
            layer.merged = True


def fold_lora(model: nn.Module) -> None:
    """Merge, and replace the LoRA layers by plain ones, so that the model has the
    structure that it had before `add_lora`. It stays frozen.
    """
    merge_lora(model)
    for name, layer in list(lora_layers(model)):
        model.set_submodule(name, layer.base)


@contextmanager
def without_lora(model: nn.Module) -> Iterator[None]:
    """Switch LoRA off within a `with` statement. This gives the model before
    fine-tuning, the reference that PPO and DPO need.

    Raises:
        ValueError: If the model is merged.
    """
    layers = [layer for _, layer in lora_layers(model)]
    if any(layer.merged for layer in layers):
        raise ValueError(
            "LoRA cannot be switched off in a merged model: its corrections are part "
            "of the weights."
        )
    for layer in layers:
        layer.on = False
    try:
        yield
    finally:
        for layer in layers:
            layer.on = True


def trained_parameter_count(model: nn.Module) -> int:
    """Return the number of parameters that are not frozen."""
    return sum(
        parameter.numel() for parameter in model.parameters() if parameter.requires_grad
    )


def train_token_rows(embedding: nn.Embedding, token_ids: Sequence[int]) -> int:
    """Make the embeddings of a few tokens trainable, keep all others fixed, and return
    the number of trained weights.

    A chat template adds special tokens that no pre-training text contains. LoRA freezes
    the embedding, so their rows would stay random. Here the whole matrix gets a
    gradient, in which all other rows are set to zero. Weight decay would shrink them
    all the same, so set it to zero. The `peft` library calls this
    `trainable_token_indices`.

    Args:
        embedding: The embedding layer. If the output layer shares its weights, the
            tokens' output rows are trained as well.

    Raises:
        ValueError: If there are no tokens, one of them occurs twice, or one is not in
            the vocabulary.

    >>> embedding = nn.Embedding(4, 3).requires_grad_(False)
    >>> train_token_rows(embedding, [1])
    3
    >>> embedding(torch.tensor([0, 1])).sum().backward()
    >>> embedding.weight.grad.sum(dim=1)
    tensor([0., 3., 0., 0.])
    """
    size, width = embedding.weight.shape
    if not token_ids or len(set(token_ids)) < len(token_ids):
        raise ValueError(
            f"token_ids must be different tokens, at least one, got {list(token_ids)}."
        )
    if not all(0 <= token < size for token in token_ids):
        raise ValueError(
            f"The vocabulary has {size} tokens, got {sorted(token_ids)[-1]} among "
            "token_ids."
        )
    is_trained = torch.zeros(size, 1, device=embedding.weight.device)
    is_trained[list(token_ids)] = 1
    embedding.weight.requires_grad_()
    embedding.weight.register_hook(lambda gradient: gradient * is_trained)
    return len(token_ids) * width
