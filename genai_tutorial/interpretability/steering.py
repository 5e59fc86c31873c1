"""Steering: add a direction to the hidden states while a model writes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.transformer import DecoderLM


@torch.no_grad()
def mean_states(
    model: DecoderLM, texts: Sequence[Sequence[int]]
) -> Float[Tensor, "text state width"]:
    """Return the mean hidden state of each text, before the first block and after each
    block, without the first position, whose states are large in most models.

    Raises:
        ValueError: If a text has fewer than two tokens.
    """
    if not all(len(text) > 1 for text in texts):
        raise ValueError("Each text must have at least two tokens.")
    device = model.token_embedding.weight.device
    rows = [torch.tensor([list(text)], device=device) for text in texts]
    return torch.stack([model.hidden_states(row)[:, 0, 1:].mean(dim=1) for row in rows])


@contextmanager
def steered(
    model: DecoderLM, state: int, direction: Float[Tensor, "width"]
) -> Iterator[DecoderLM]:
    """Add a direction to one hidden state at every position inside a `with` block.

    Args:
        state: After how many blocks, as `DecoderLM.hidden_states` counts, from 1.

    Raises:
        ValueError: If there is no such state.

    Source: Turner et al., Steering Language Models With Activation Engineering,
    https://arxiv.org/abs/2308.10248

    >>> from genai_tutorial.transformer import DecoderConfig
    >>> model = DecoderLM(DecoderConfig.gpt2(9, 4, width=8, layers=1, heads=2))
    >>> ids = torch.tensor([[1, 2]])
    >>> with steered(model, state=1, direction=torch.ones(8)):
    ...     x = model.read(ids)
    >>> bool(torch.allclose(x, model.read(ids) + 1))
    True
    """
    if not 1 <= state <= model.config.layers:
        raise ValueError(
            f"state must be from 1 to {model.config.layers}, the number of blocks, got "
            f"{state}."
        )

    def add(_: nn.Module, __: tuple, output: Tensor) -> Tensor:
        return output + direction.to(output)

    hook = model.blocks[state - 1].register_forward_hook(add)
    try:
        yield model
    finally:
        hook.remove()
