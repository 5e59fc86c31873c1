"""Held-out log-likelihood, in the units that papers report."""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional as F


def nats_to_bits(nats: float) -> float:
    """Convert nats (natural logarithm) to bits (logarithm to base 2)."""
    return nats / math.log(2)


def perplexity(nats: float) -> float:
    """Return e to the power of the nats per token: the number of equally likely tokens
    that would be as hard to predict.

    >>> round(perplexity(math.log(65)), 6)
    65.0
    """
    return math.exp(nats)


def bits_per_dimension(
    log_likelihood: float, dimensions: int, level_width: float = 1.0
) -> float:
    r"""Return the average number of bits per dimension of the data, such as a pixel;
    lower is better.

    A density is not a probability: its value depends on the unit of x. The probability
    that a pixel falls into one grey level is about the density times the width of a
    level. With the width in the model's own units, models of the same 8-bit images can
    be compared, however each of them scales the pixels.

    $$\text{bits per dimension} = -\frac{1}{\ln 2}\left(\frac{\log p(x)}{D} + \ln
    w\right)$$

    Args:
        log_likelihood: Log-density (or log-probability) of all the data, in nats.
        dimensions: How many numbers the data has: images times pixels.
        level_width: Width w of one level in the units of the density: 1/256 for 8-bit
            images with uniform noise divided by 256, 1/255 for images divided by 255,
            and 1 if the model already gives a probability for each level.

    Raises:
        ValueError: If `dimensions` or `level_width` is not positive.

    Source: Theis, van den Oord and Bethge (2016), A note on the evaluation of
    generative models, section 3.1.

    >>> bits_per_dimension(
    ...     0.0, dimensions=784, level_width=1 / 256
    ... )  # uniform over 0…1: all 8 bits of every pixel
    8.0
    """
    if dimensions < 1:
        raise ValueError(f"dimensions must be at least 1, got {dimensions}")
    if level_width <= 0:
        raise ValueError(
            f"level_width must be positive, got {level_width}: 1/256 for 8-bit images "
            "divided by 256"
        )
    return -nats_to_bits(log_likelihood / dimensions + math.log(level_width))


@dataclass(frozen=True)
class TextScore:
    """The log-likelihood of a text under a language model.

    Attributes:
        log_likelihood: Log-probability of all scored tokens, each given those before it
            in its window, in nats.
        tokens: Number of scored tokens: all but the first one, which has nothing before
            it.
    """

    log_likelihood: float
    tokens: int

    @property
    def nats_per_token(self) -> float:
        """Average negative log-likelihood per token; with a character tokenizer, nats
        per character.
        """
        return -self.log_likelihood / self.tokens


@torch.no_grad()
def evaluate_language_model(
    model: nn.Module,
    tokens: Int[Tensor, "n"],
    context_length: int,
    *,
    stride: int | None = None,
    batch_size: int = 32,
) -> TextScore:
    """Score every token of a text exactly once, given the tokens before it in a window.

    The windows cover the whole text. If they do not overlap (the default, and the
    fastest), the first tokens of each window are predicted from little context.
    With a smaller `stride`, each window scores only its last `stride` tokens, so that
    all but the text's beginning have at least `context_length - stride` tokens before
    them.

    Args:
        model: Maps ids ("batch position") to logits ("batch position vocab"). Its
            training mode is restored afterwards.
        tokens: The text as ids.
        context_length: Number of tokens in a window.
        stride: Distance between the starts of windows, from 1 to `context_length`,
            which is also the default.
        batch_size: Number of windows per forward pass; changes the speed, not the
            result.

    Raises:
        ValueError: If the text has fewer than two tokens, or a length is out of range.
    """
    stride = context_length if stride is None else stride
    if len(tokens) < 2:
        raise ValueError(
            "tokens must have at least 2 ids, one to read and one to predict, got "
            f"{len(tokens)}"
        )
    if not 1 <= stride <= context_length:
        raise ValueError(
            f"stride must be from 1 to context_length = {context_length}, got {stride}"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")

    targets = len(tokens) - 1
    length = min(context_length, targets)
    starts = torch.arange(0, targets - length + 1, stride)
    # the last window ends with the text, so that no padding is needed
    if starts[-1] + length < targets:
        starts = torch.cat([starts, torch.tensor([targets - length])])
    # In each window, the positions from here on are new; those before were scored by
    # the window before.
    new_from = torch.cat([torch.tensor([0]), length - starts.diff()])

    device = next(
        (
            tensor.device
            for tensor in itertools.chain(model.parameters(), model.buffers())
        ),
        tokens.device,
    )
    tokens = tokens.cpu()
    position = torch.arange(length + 1)
    total = 0.0
    was_training = model.training
    model.eval()
    try:
        for start, new in zip(
            starts.split(batch_size), new_from.split(batch_size), strict=True
        ):
            windows = tokens[start[:, None] + position].to(device).long()
            logits = model(windows[:, :-1]).float()
            loss = (
                F.cross_entropy(
                    logits.transpose(1, 2), windows[:, 1:], reduction="none"
                )
                .double()
                .cpu()
            )
            total -= float(loss[position[:-1] >= new[:, None]].sum())
    finally:
        model.train(was_training)
    return TextScore(log_likelihood=total, tokens=targets)
