"""One direction in the hidden states of a model, such as the refusal direction: find
it, and ablate it, add it, or take it out of the weights.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import DecoderLM


def project_out(
    vectors: Float[Tensor, "*n dim"], direction: Float[Tensor, "dim"]
) -> Float[Tensor, "*n dim"]:
    """Remove the component along a direction: the results are orthogonal to it.

    Raises:
        ValueError: If the direction has no length.
    """
    unit = unit_direction(direction)
    return vectors - (vectors @ unit)[..., None] * unit


def unit_direction(direction: Float[Tensor, "dim"]) -> Float[Tensor, "dim"]:
    """Return the direction at length one."""
    length = direction.norm()
    if not (torch.isfinite(length) and length > 0):
        raise ValueError(
            f"A direction needs a finite length above 0, got {float(length)}."
        )
    return direction / length


_BATCH_SIZE = 64


@torch.no_grad()
def last_token_states(
    model: DecoderLM, prompts: Sequence[Sequence[int]]
) -> Float[Tensor, "prompt state width"]:
    """Return the hidden states at each prompt's last token, before the first block and
    after each block.

    Raises:
        ValueError: If there are no prompts or one is empty.
    """
    if not prompts or not all(prompts):
        raise ValueError(
            "There must be at least one prompt, of one token or more each; got "
            f"{len(prompts)} prompts."
        )
    states = []
    for start in range(0, len(prompts), _BATCH_SIZE):
        batch = prompts[start : start + _BATCH_SIZE]
        ids = pad_sequence([torch.tensor(row) for row in batch], True, PADDING)
        last = torch.tensor([len(prompt) - 1 for prompt in batch])
        read = model.hidden_states(ids.to(model.token_embedding.weight.device))
        states.append(read[:, torch.arange(len(batch)), last].transpose(0, 1))
    return torch.cat(states)


def mean_difference(
    model: DecoderLM, prompts: Sequence[Sequence[int]], others: Sequence[Sequence[int]]
) -> Float[Tensor, "state width"]:
    """Return the difference between the mean states of some prompts and of others, at
    the last token, for each layer: a candidate for the direction that separates the two
    groups, such as prompts that the model refuses and prompts that it answers.

    Source: Arditi et al., Refusal in Language Models Is Mediated by a Single Direction,
        section 2.3, https://arxiv.org/abs/2406.11717
    """
    first, second = (last_token_states(model, group) for group in (prompts, others))
    return first.mean(dim=0) - second.mean(dim=0)


@contextmanager
def direction_ablated(
    model: DecoderLM, direction: Float[Tensor, "width"], strength: float | int = 1
) -> Iterator[DecoderLM]:
    """Keep a direction out of the residual stream inside a `with` block: it is removed
    from the embedding and from what each attention and feed-forward layer adds.

    Args:
        strength: The share that is removed; above 1, the component is reversed.

    Raises:
        ValueError: If the direction is zero.

    Source: Arditi et al., Refusal in Language Models Is Mediated by a Single Direction,
        equation 4, https://arxiv.org/abs/2406.11717
    """
    unit = unit_direction(direction)

    def remove(_: nn.Module, __: tuple, output: Tensor) -> Tensor:
        along = (output @ unit.to(output))[..., None]
        return output - strength * along * unit.to(output)

    hooks = [part.register_forward_hook(remove) for part in _writers(model)]
    try:
        yield model
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def orthogonalized(model: DecoderLM, direction: Float[Tensor, "width"]) -> DecoderLM:
    """Return a copy of a decoder whose weights cannot write a direction into the
    residual stream. It computes what the model does within `direction_ablated`, without
    hooks.

    The output layer of the copy keeps the weights of the embedding before the change,
    so the two are no longer tied.

    Raises:
        ValueError: If the direction is zero, or the model has mixtures of experts.

    Source: Arditi et al., Refusal in Language Models Is Mediated by a Single Direction,
        section 4.1 and appendix E, https://arxiv.org/abs/2406.11717
    """
    if model.config.mixture is not None:
        raise ValueError(
            "A mixture of experts has many output layers; use direction_ablated."
        )
    copy = DecoderLM(replace(model.config, tied_embeddings=False), seed=None)
    copy.to(model.token_embedding.weight.device)
    copy.load_state_dict(model.state_dict(), strict=False)
    if model.head is None:
        copy.head.weight.copy_(model.token_embedding.weight)
    for table in (copy.token_embedding, copy.position_embedding):
        if table is not None:
            table.weight.copy_(project_out(table.weight, direction))
    layers = [
        layer
        for block in copy.blocks
        for layer in (block.attention.output, block.feed_forward.output)
    ]
    if copy.ngram_embedding is not None:
        layers.append(copy.ngram_embedding.project)
    for layer in layers:
        layer.weight.copy_(project_out(layer.weight.T, direction).T)
        if layer.bias is not None:
            layer.bias.copy_(project_out(layer.bias, direction))
    return copy.train(model.training)


def _writers(model: DecoderLM) -> list[nn.Module]:
    # A position embedding returns the sum with the tokens' vectors, so a hook on it
    # covers both.
    first = [model.token_embedding, model.ngram_embedding, model.position_embedding]
    later = [
        part for block in model.blocks for part in (block.attention, block.feed_forward)
    ]
    return [part for part in (*first, *later) if part is not None]
