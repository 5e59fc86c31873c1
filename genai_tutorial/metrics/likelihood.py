"""Held-out log-likelihood, in the units that papers report."""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional as F

_WINDOWS_AT_ONCE = 32  # in one forward pass


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

    A density depends on the unit of x. The probability that a pixel falls into one grey
    level is about the density times the width of a level, and does not: it compares
    models of the same 8-bit images, however each of them scales the pixels.

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

    >>> bits_per_dimension(0.0, 784, level_width=1 / 256)  # uniform: all 8 bits
    8.0
    """
    if dimensions < 1:
        raise ValueError(f"dimensions must be at least 1, got {dimensions}")
    if level_width <= 0:
        raise ValueError(
            f"level_width must be positive, got {level_width}: 1/256 for 8-bit images "
            "divided by 256"
        )
    return -(log_likelihood / dimensions + math.log(level_width)) / math.log(2)


@dataclass(frozen=True)
class TextScore:
    """The log-likelihood of a text under a language model.

    Attributes:
        log_likelihood: Log-probability of all scored tokens, in nats.
        tokens: Number of scored tokens: all but the first one.
    """

    log_likelihood: float
    tokens: int

    @property
    def nats_per_token(self) -> float:
        """Average negative log-likelihood per token."""
        return -self.log_likelihood / self.tokens


@torch.no_grad()
def evaluate_language_model(
    model: nn.Module,
    tokens: Int[Tensor, "n"],
    context_length: int,
    *,
    stride: int | None = None,
) -> TextScore:
    """Score every token of a text exactly once, given the tokens before it in a window.

    If the windows do not overlap (the default, and the fastest), the first tokens of
    each are predicted from little context. With a smaller `stride`, each window scores
    only its last `stride` tokens, so that all but the text's beginning have at least
    `context_length - stride` tokens before them.

    Args:
        model: Maps ids ("batch position") to logits ("batch position vocab"). Its
            training mode is restored afterwards.
        context_length: Number of tokens in a window.
        stride: Distance between the starts of windows, from 1 to `context_length`,
            which is also the default.

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

    targets = len(tokens) - 1
    length = min(context_length, targets)
    starts = torch.arange(0, targets - length + 1, stride)
    # the last window ends with the text, so that no padding is needed
    if starts[-1] + length < targets:
        starts = torch.cat([starts, torch.tensor([targets - length])])
    # In each window, only the positions from here on were not scored by the one before.
    new_from = torch.cat([torch.tensor([0]), length - starts.diff()])

    weights = itertools.chain(model.parameters(), model.buffers())
    device = next((tensor.device for tensor in weights), tokens.device)
    tokens = tokens.cpu()
    position = torch.arange(length + 1)
    total = 0.0
    was_training = model.training
    model.eval()
    try:
        for part in torch.arange(len(starts)).split(_WINDOWS_AT_ONCE):
            windows = tokens[starts[part, None] + position].to(device).long()
            logits = model(windows[:, :-1]).float().transpose(1, 2)
            loss = F.cross_entropy(logits, windows[:, 1:], reduction="none")
            is_new = position[:-1] >= new_from[part, None]
            total -= float(loss.double().cpu()[is_new].sum())
    finally:
        model.train(was_training)
    return TextScore(log_likelihood=total, tokens=targets)
