"""Activation patching and steering: replace hidden states in one run by those from
another, or add a direction to them, and see what the model predicts then.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.transformer import AttentionContext, DecoderLM


@contextmanager
def patched(
    model: DecoderLM, state: int, position: int, vectors: Float[Tensor, "#batch width"]
) -> Iterator[DecoderLM]:
    """Replace the hidden state at one position of each row inside a `with` block.

    Args:
        state: After how many blocks, as `DecoderLM.hidden_states` counts, from 1.
        position: A negative one counts from the end.
        vectors: One for each row, or one for all.

    Raises:
        ValueError: If there is no such state.

    Source: Meng et al., Locating and Editing Factual Associations in GPT, section 2.1,
    https://arxiv.org/abs/2202.05262

    >>> from genai_tutorial.transformer import DecoderConfig
    >>> model = DecoderLM(DecoderConfig.gpt2(9, 4, width=8, layers=1, heads=2))
    >>> with patched(model, state=1, position=-1, vectors=torch.zeros(1, 8)):
    ...     x = model.read(torch.tensor([[1, 2]]))
    >>> bool(x[0, -1].any())
    False
    """

    def replace(output: Tensor) -> Tensor:
        output = output.clone()
        output[:, position] = vectors.to(output)
        return output

    with _changed(model, state, replace):
        yield model


@torch.no_grad()
def patching_grid(
    model: DecoderLM,
    ids: Int[Tensor, "batch position"],
    source_ids: Int[Tensor, "batch position"],
    states: Sequence[int],
    positions: Sequence[int],
) -> Float[Tensor, "state place batch width"]:
    """Replace one hidden state of each row by the source's, for each of the given
    states and positions in turn, and return the last block's state at the last token.

    All positions of a state are computed in one batch, from that state upwards.

    Args:
        states: Indices into `DecoderLM.hidden_states`; 0 are the embeddings.

    Source: Meng et al., Locating and Editing Factual Associations in GPT, section 2.1,
    https://arxiv.org/abs/2202.05262
    """
    own, other = model.hidden_states(ids), model.hidden_states(source_ids)
    results = []
    for state in states:
        copies = own[state].repeat(len(positions), 1, 1, 1)
        for copy, position in zip(copies, positions, strict=True):
            copy[:, position] = other[state][:, position]
        x = copies.flatten(0, 1)
        for block in model.blocks[state:]:
            x = block(x)
        results.append(x[:, -1].unflatten(0, (len(positions), -1)))
    return torch.stack(results)


@torch.no_grad()
def head_outputs(
    model: DecoderLM, ids: Int[Tensor, "batch position"]
) -> Float[Tensor, "layer batch position head dim"]:
    """Return each head's output at every position, before the output layer mixes the
    heads.
    """
    return _heads(model, _inputs_of_output_layers(model, lambda: model.read(ids)))


def attribution_patching(
    model: DecoderLM,
    ids: Int[Tensor, "batch position"],
    source: Float[Tensor, "layer batch position head dim"],
    measure: Callable[[Float[Tensor, "batch width"]], Float[Tensor, "batch"]],
) -> Float[Tensor, "layer batch head"]:
    """Estimate for every head by how much a measure would change if the head's output
    at the last token came from another run: the difference between the outputs, times
    the gradient.

    It costs one forward and one backward pass, instead of a forward pass per head, and
    is exact only where the measure is linear in the head's output.

    Args:
        source: The `head_outputs` of the other run.
        measure: Maps the last block's states at the last token to a number per row.

    Source: Nanda (2023), Attribution Patching,
    https://www.neelnanda.io/mechanistic-interpretability/attribution-patching
    """
    with torch.enable_grad():
        # A start that needs a gradient, so that the weights don't have to.
        start = model.embed(ids, AttentionContext()).detach().requires_grad_()
        last: list[Tensor] = []
        inputs = _inputs_of_output_layers(
            model, lambda: last.append(model.read_vectors(start)[:, -1])
        )
        gradients = torch.autograd.grad(measure(last[0]).sum(), inputs)
    own, slope = _heads(model, inputs).detach(), _heads(model, gradients)
    return ((source - own) * slope)[:, :, -1].sum(dim=-1)


def _inputs_of_output_layers(
    model: DecoderLM, run: Callable[[], object]
) -> list[Float[Tensor, "batch position width"]]:
    """Run a model and return what each block's attention hands to its output layer."""
    inputs: list[Tensor] = []
    hooks = [
        block.attention.output.register_forward_pre_hook(
            lambda _, values: inputs.append(values[0])
        )
        for block in model.blocks
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return inputs


def _heads(model: DecoderLM, parts: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(parts)).unflatten(-1, (model.config.attention.heads, -1))


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
    with _changed(model, state, lambda output: output + direction.to(output)):
        yield model


@contextmanager
def _changed(
    model: DecoderLM, state: int, change: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """Change a hidden state during each forward pass."""
    if not 1 <= state <= model.config.layers:
        raise ValueError(
            f"state must be from 1 to {model.config.layers}, the number of blocks, got "
            f"{state}. To change state 0, exchange the token."
        )
    hook = model.blocks[state - 1].register_forward_hook(
        lambda _, __, output: change(output)
    )
    try:
        yield
    finally:
        hook.remove()
