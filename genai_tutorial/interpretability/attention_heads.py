"""Attention heads: scores from their maps on repeated random tokens, what they write,
and what the model loses without them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import AttentionContext, DecoderLM


def repeated_random_tokens(
    count: int, length: int, vocabulary: int | Int[Tensor, "token"], seed: int = 0
) -> Int[Tensor, "count position"]:
    """Draw rows of random tokens, each repeated once.

    Only copying can predict the second half of a row. No token occurs twice in the
    first half, so every token of the second half has exactly one earlier occurrence.

    Args:
        length: The number of tokens before the repetition; a row is twice as long.
        vocabulary: The tokens to draw from; a number n means 0 to n - 1.

    Raises:
        ValueError: If the vocabulary is smaller than `length`.

    >>> repeated_random_tokens(1, 3, vocabulary=10, seed=0).shape
    torch.Size([1, 6])
    """
    tokens = torch.arange(vocabulary) if isinstance(vocabulary, int) else vocabulary
    if not 1 <= length <= len(tokens):
        raise ValueError(
            f"length must be from 1 to the number of different tokens, {len(tokens)}, "
            f"got {length}."
        )
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(len(tokens), generator=generator) for _ in range(count)]
    rows = torch.stack([tokens[order[:length]] for order in orders])
    return torch.cat([rows, rows], dim=1)


def induction_scores(
    maps: Float[Tensor, "layer batch head query key"], period: int
) -> Float[Tensor, "layer head"]:
    """Return the share of its attention that each head gives to the token after the
    earlier occurrence of the current one.

    The text consists of `period` tokens, repeated once, so that token is `period` - 1
    positions back. The score is averaged over the queries of the second half and over
    the batch; 1 is a perfect induction head.

    Args:
        maps: Attention weights, such as `DecoderLM.attention_maps` returns.

    Raises:
        ValueError: If the text of the maps is not twice as long as `period`.

    Source: Olsson et al. (2022), In-context learning and induction heads,
    https://arxiv.org/abs/2209.11895
    """
    queries, keys = maps.shape[-2:]
    if not queries == keys == 2 * period:
        raise ValueError(
            f"The maps must be of {period} tokens repeated once, {2 * period} square; "
            f"got {queries}x{keys}."
        )
    return _weight_at_distance(maps, period - 1, from_query=period)


def previous_token_scores(
    maps: Float[Tensor, "layer batch head query key"],
) -> Float[Tensor, "layer head"]:
    """Return the share of its attention that each head gives to the previous token,
    averaged over queries and batch.

    The first query, which has no previous token, is left out.

    Raises:
        ValueError: If there is only one position.
    """
    if maps.shape[-1] < 2:
        raise ValueError(
            "At least two positions are needed for a previous token, got "
            f"{maps.shape[-1]}."
        )
    return _weight_at_distance(maps, 1, from_query=1)


def _weight_at_distance(
    maps: Float[Tensor, "layer batch head query key"], distance: int, from_query: int
) -> Float[Tensor, "layer head"]:
    queries = torch.arange(from_query, maps.shape[-2], device=maps.device)
    return maps[..., queries, queries - distance].mean(dim=(1, 3))


def predict_values(
    known: Sequence[Sequence[int]],
    values: Sequence[float | int],
    unseen: Sequence[Sequence[int]],
) -> Float[Tensor, "unseen"]:
    """Fit numbers with a sum over their tokens, and return predictions for others.

    Each token gets one weight for each position at which it occurs in `known`, chosen
    by least squares. A token at a position where it was never seen adds nothing.

    Raises:
        ValueError: If there is not one value for each row of tokens.

    >>> known = [[1, 0], [1, 3], [2, 0], [2, 5]]  # the digits are the tokens
    >>> predict_values(known, [10, 13, 20, 25], [[1, 5], [2, 3]])
    tensor([15.0000, 23.0000], dtype=torch.float64)
    """
    if len(known) != len(values) or not known:
        raise ValueError(
            "known and values must be equally long and not empty, got "
            f"{len(known)} rows of tokens and {len(values)} values."
        )
    columns: dict[tuple[int, int], int] = {}
    for row in known:
        for place_and_token in enumerate(row):
            columns.setdefault(place_and_token, len(columns))
    # The normal equations: there are many more numbers than kinds of tokens.
    x, y = _one_hot(known, columns), torch.tensor(values, dtype=torch.float64)
    weights = torch.linalg.pinv(x.T @ x, rtol=1e-10, hermitian=True) @ (x.T @ y)
    return _one_hot(unseen, columns) @ weights


def _one_hot(
    rows: Sequence[Sequence[int]], columns: dict[tuple[int, int], int]
) -> Float[Tensor, "row column"]:
    table = torch.zeros(len(rows), len(columns), dtype=torch.float64)
    for i, row in enumerate(rows):
        found = [columns[pair] for pair in enumerate(row) if pair in columns]
        table[i, found] = 1
    return table


@contextmanager
def ablated(
    model: DecoderLM,
    heads: Iterable[tuple[int, int]],
    means: Float[Tensor, "layer *row head dim"] | None = None,
) -> Iterator[DecoderLM]:
    """Ablate attention heads inside a `with` block.

    Args:
        heads: The index of the layer and the index of the head, both from 0.
        means: The vectors that replace the heads' outputs, such as the result of
            `mean_head_outputs` (mean ablation); None means zeros (zero ablation). With
            axes for batch and position, such as the result of `head_outputs`, each
            position gets its own (patching).

    Raises:
        ValueError: If there is no such head.

    Source: Michel et al., Are Sixteen Heads Really Better than One?, section 2.3,
    https://arxiv.org/abs/1905.10650

    >>> from genai_tutorial.transformer import DecoderConfig
    >>> model = DecoderLM(DecoderConfig.gpt2(9, 4, width=8, layers=1, heads=2))
    >>> with ablated(model, [(0, 1)]):
    ...     output = model(torch.tensor([[1, 2]]))
    """
    config, heads_per_layer = model.config, model.config.attention.heads
    chosen: dict[int, list[int]] = {}
    for layer, head in heads:
        if not (0 <= layer < config.layers and 0 <= head < heads_per_layer):
            raise ValueError(
                f"The model has layers 0 to {config.layers - 1} of heads 0 to "
                f"{heads_per_layer - 1} each; got layer {layer}, head {head}."
            )
        chosen.setdefault(layer, []).append(head)
    hooks = []
    for layer, off in chosen.items():
        mask = torch.zeros(heads_per_layer, config.head_width, dtype=torch.bool)
        mask[off] = True
        value = torch.zeros(mask.shape) if means is None else means[layer]
        hooks.append(_replace(model, layer, mask.flatten(), value.flatten(-2)))
    try:
        yield model
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def mean_head_outputs(
    model: DecoderLM, ids: Int[Tensor, "batch position"]
) -> Float[Tensor, "layer head dim"]:
    """Return each head's output, averaged over all positions of all rows."""
    means = []
    hooks = [
        block.attention.output.register_forward_pre_hook(
            lambda _, inputs: means.append(inputs[0].mean(dim=(0, 1)))
        )
        for block in model.blocks
    ]
    try:
        model.read(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(means).unflatten(-1, (model.config.attention.heads, -1))


@torch.no_grad()
def ablation_costs(
    model: DecoderLM,
    ids: Int[Tensor, "batch position"],
    means: Float[Tensor, "layer head dim"] | None = None,
    first_target: int = 1,
) -> Float[Tensor, "layer head"]:
    """Return by how much the loss grows, in nats per token, when one head is ablated,
    for every head in turn.

    The layers below a head are computed once, and the heads of a layer are ablated in
    one batch, so that all heads together cost about half as many operations as one
    forward pass for each.

    Args:
        means: The vectors that replace the heads' outputs; None means zeros.
        first_target: The first position that counts as a target.

    Raises:
        ValueError: If no position is left to predict.
    """
    if not 1 <= first_target < ids.shape[1]:
        raise ValueError(
            f"first_target must be from 1 to {ids.shape[1] - 1}, the last position of "
            f"the text, got {first_target}."
        )
    heads, width = model.config.attention.heads, model.config.head_width
    which = torch.eye(heads, dtype=torch.bool).repeat_interleave(width, dim=1)
    # A row of the mask for each copy of the text: copy h has head h ablated.
    mask = which.repeat_interleave(len(ids), dim=0)[:, None]
    costs = []
    x = model.embed(ids, AttentionContext())
    for layer, block in enumerate(model.blocks):
        value = torch.zeros(heads, width) if means is None else means[layer]
        copies = x.repeat(heads, 1, 1)
        hook = _replace(model, layer, mask, value.flatten())
        try:
            copies = block(copies)
        finally:
            hook.remove()
        for later in model.blocks[layer + 1 :]:
            copies = later(copies)
        costs.append(_loss_per_copy(model, copies, ids, first_target, heads))
        x = block(x)
    intact = _loss_per_copy(model, x, ids, first_target, 1)
    return torch.stack(costs) - intact


def _replace(model: DecoderLM, layer: int, mask: Tensor, value: Tensor):
    # The output projection reads the heads side by side: each is a part of its input.
    def replace(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        x = inputs[0]
        return (torch.where(mask.to(x.device), value.to(x), x),)

    output = model.blocks[layer].attention.output
    return output.register_forward_pre_hook(replace)


def _loss_per_copy(
    model: DecoderLM, x: Tensor, ids: Tensor, first_target: int, copies: int
) -> Float[Tensor, "copy"]:
    logits = model.logits(x[:, first_target - 1 : -1])
    targets = ids[:, first_target:].repeat(copies, 1)
    losses = nn.functional.cross_entropy(
        logits.transpose(1, 2), targets, reduction="none"
    )
    return losses.unflatten(0, (copies, -1)).mean(dim=(1, 2))
