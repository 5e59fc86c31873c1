"""What a denoising network is told: the timestep, and a label or a text."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

_MAX_PERIOD = 10_000.0  # the ratio of the first frequency to the last


def sinusoidal_features(
    time: Float[Tensor, "batch"], width: int
) -> Float[Tensor, "batch width"]:
    """Return the sines and then the cosines of `width / 2` frequencies, from 1 down to
    1/10,000. High ones distinguish neighbouring timesteps, low ones early from late.

    Args:
        time: One number per image, best on a scale of some hundreds.
        width: The number of features, an even one.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, appendix B,
    https://arxiv.org/abs/2006.11239

    >>> sinusoidal_features(torch.tensor([0.0, 1.0]), width=4)
    tensor([[0.0000e+00, 0.0000e+00, 1.0000e+00, 1.0000e+00],
            [8.4147e-01, 1.0000e-04, 5.4030e-01, 1.0000e+00]])
    """
    half = width // 2
    frequencies = torch.exp(
        -math.log(_MAX_PERIOD) * torch.arange(half, device=time.device) / (half - 1)
    )
    angles = time.float()[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), dim=1).to(time.dtype)


class TimeEmbedding(nn.Module):
    """Sinusoidal features of the timestep, followed by a network of two layers.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, appendix B,
        https://arxiv.org/abs/2006.11239
    """

    def __init__(
        self, width: int, sinusoidal_width: int = 128, time_scale: float | int = 1
    ):
        super().__init__()
        self.sinusoidal_width, self.time_scale = sinusoidal_width, time_scale
        self.widen = nn.Linear(sinusoidal_width, width)
        self.output = nn.Linear(width, width)

    def forward(self, time: Float[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
        """Return an embedding for each timestep."""
        features = sinusoidal_features(time * self.time_scale, self.sinusoidal_width)
        return self.output(nn.functional.silu(self.widen(features)))


@dataclass(frozen=True)
class TextCondition:
    """Texts for the images of a batch, as the features that a text encoder computed.

    Attributes:
        mask: True for the tokens of the text, False for padding.

    Raises:
        ValueError: If a text has no token at all: even the empty prompt needs one for
            attention.

    >>> prompts = TextCondition(
    ...     torch.zeros(2, 3, 16),
    ...     torch.tensor([[True, True, False], [True, False, False]]),
    ... )
    >>> len(prompts)
    2
    """

    tokens: Float[Tensor, "batch token width"]
    mask: Bool[Tensor, "batch token"]

    def __post_init__(self):
        if not bool(self.mask.any(dim=1).all()):
            raise ValueError(
                "Each text needs at least one token that its mask shows; let the empty "
                "prompt be one special token, such as the start of a text."
            )

    def __len__(self) -> int:
        return len(self.mask)

    def __getitem__(self, rows: slice) -> "TextCondition":
        """Return the texts of some images of the batch."""
        return TextCondition(self.tokens[rows], self.mask[rows])


Condition = TextCondition | Int[Tensor, "batch"] | None
"""The third argument of the networks in this room."""


class LabelEmbedding(nn.Module):
    """A learned embedding for each class, and one more for "no label".

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance, section 3.2,
        https://arxiv.org/abs/2207.12598
    """

    def __init__(self, classes: int, width: int):
        super().__init__()
        self.classes = classes
        self.table = nn.Embedding(classes + 1, width)

    def forward(
        self, labels: Int[Tensor, "batch"] | None, batch: int
    ) -> Float[Tensor, "batch width"]:
        """Return the embeddings of the labels; None means no label for any image."""
        if labels is None:
            labels = torch.full((batch,), self.classes, device=self.table.weight.device)
        if len(labels) != batch:
            raise ValueError(
                f"Give one label for each image: got {len(labels)} labels for {batch} "
                "images."
            )
        if int(labels.min()) < 0 or int(labels.max()) > self.classes:
            raise ValueError(
                f"A label must be from 0 to {self.classes - 1}, or {self.classes} for "
                f"none; got {int(labels.min())} to {int(labels.max())}."
            )
        return self.table(labels)


class TextEmbedding(nn.Module):
    """A pooled text embedding: the mean of the tokens, projected by a linear layer.

    Source: Podell et al., SDXL, section 2.1 (a pooled text beside cross-attention),
        https://arxiv.org/abs/2307.01952
    """

    def __init__(self, text_width: int, width: int):
        super().__init__()
        self.projection = nn.Linear(text_width, width)

    def forward(self, text: TextCondition) -> Float[Tensor, "batch width"]:
        """Return the pooled embeddings, without padding."""
        mask = text.mask[..., None].to(text.tokens.dtype)
        return self.projection((text.tokens * mask).sum(dim=1) / mask.sum(dim=1))


def drop_labels(
    labels: Int[Tensor, "batch"],
    fraction: float | int,
    no_label: int,
    generator: torch.Generator,
) -> Int[Tensor, "batch"]:
    """Replace some labels by "no label", so that one network learns the conditional and
    the unconditional prediction.

    Args:
        fraction: The probability that each label is dropped; 0.1 is usual.

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance, algorithm 1,
    https://arxiv.org/abs/2207.12598

    >>> drop_labels(torch.tensor([3, 1]), 1.0, no_label=10, generator=torch.Generator())
    tensor([10, 10])
    """
    dropped = torch.rand(len(labels), generator=generator).to(labels.device) < fraction
    return torch.where(dropped, no_label, labels)


class ConditionedNetwork(nn.Module):
    """A network that is told the timestep, and a label or a text, in one embedding; the
    base of `UNet` and `DiT`.
    """

    def _make_embeddings(self, width: int, sinusoidal_width: int = 128) -> None:
        classes, text_width = self.config.classes, self.config.text_width
        if classes is not None and text_width is not None:
            raise ValueError(
                "A network takes labels or texts: leave out classes or text_width."
            )
        self.time = TimeEmbedding(width, sinusoidal_width, self.config.time_scale)
        self.label = None if classes is None else LabelEmbedding(classes, width)
        self.text = None if text_width is None else TextEmbedding(text_width, width)

    def embed(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Float[Tensor, "batch"],
        condition: Condition,
    ) -> tuple[Float[Tensor, "batch embedding"], TextCondition | None]:
        """Return the embedding of timestep and condition that every block gets, and the
        text for cross-attention.

        Raises:
            ValueError: If the images have another size, or the condition is not of the
                config's kind.
        """
        self._check(x, condition)
        embedding = self.time(t.to(x.dtype))
        if self.label is not None:
            embedding = embedding + self.label(condition, len(x))
        if self.text is None:
            return embedding, None
        return embedding + self.text(condition), condition

    def parameter_count(self) -> int:
        """Return the number of weights."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _check(self, x: Tensor, condition: Condition) -> None:
        size = self.config.image_size
        if size is not None and x.shape[2:] != (size, size):
            raise ValueError(
                f"This network takes images of {size}x{size} pixels, got "
                f"{x.shape[2]}x{x.shape[3]}."
            )
        classes, width = self.config.classes, self.config.text_width
        is_text = isinstance(condition, TextCondition)
        if width is not None:
            fits = is_text and condition.tokens.shape[2] == width
            takes = f"a TextCondition with tokens of {width} features"
        elif classes is not None:
            fits = condition is None or isinstance(condition, Tensor)
            takes = f"labels from 0 to {classes - 1}, {classes} or None for no label"
        else:
            fits, takes = condition is None, "no condition"
        if not fits:
            got = condition if condition is None else type(condition).__name__
            if is_text:
                got = f"{got} with tokens of {condition.tokens.shape[2]} features"
            raise ValueError(f"This network takes {takes}; got {got}.")
