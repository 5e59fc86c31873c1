"""More than a caption for a text-to-image model: an outline to follow, an image to
edit, and a new word.
"""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.diffusion import ControlNet, TextCondition
from genai_tutorial.tokenization import WordTokenizer

from .text_to_image import TextToImage


@dataclass(frozen=True)
class Controlled:
    """A text-to-image model with a ControlNet and a hint per image: called as the model
    itself is, so it works with every sampler, loss and guidance.

    Attributes:
        painter: The frozen model, whose network is a U-Net.
        hint: The images to follow, as many as the batch has.
        scale: Factor for what the ControlNet adds; 0 gives the frozen model.
    """

    painter: TextToImage
    control: ControlNet
    hint: Float[Tensor, "batch 1 hint_height hint_width"]
    scale: float | int = 1

    def __call__(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Float[Tensor, "batch"],
        condition: Int[Tensor, "batch token"] | TextCondition | None = None,
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the prediction for noisy images, their captions and their hints."""
        text, network = self.painter.read_condition(x, condition), self.painter.network
        residuals = self.control(x, *network.embed(x, t, text), self.hint)
        return network(x, t, text, residuals.scaled(self.scale))


@dataclass(frozen=True)
class Editing:
    """A text-to-image model with a widened stem, which also reads the image to edit.

    Attributes:
        editor: The model, after `widen_stem`.
        image: The images to edit, or their latents, as many as the batch has.

    Source: Brooks et al., InstructPix2Pix, section 3.2,
        https://arxiv.org/abs/2211.09800
    """

    editor: TextToImage
    image: Float[Tensor, "batch channel height width"]

    def __call__(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Float[Tensor, "batch"],
        condition: Int[Tensor, "batch token"] | TextCondition | None = None,
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the prediction for noisy images, given instructions."""
        return self.editor(torch.cat((x, self.image), dim=1), t, condition)


def widen_stem(painter: TextToImage) -> None:
    """Let the stem of a U-Net read twice as many channels: first the noisy image's,
    then as many of the image to edit. The weights of the new ones are zero, so that
    they change nothing at first.

    >>> from genai_tutorial.diffusion import UNetConfig
    >>> from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig
    >>> text = TextEncoderConfig(EncoderConfig(8, 1, 2), 5, context_length=4, end=1)
    >>> painter = TextToImage(text, UNetConfig(classes=None, text_width=8))
    >>> widen_stem(painter)
    >>> painter.network.stem.weight.shape
    torch.Size([32, 2, 4, 4])
    """
    old = painter.network.stem
    wide = nn.Conv2d(
        2 * old.in_channels, old.out_channels, old.kernel_size, old.stride, old.padding
    ).to(old.weight.device)
    with torch.no_grad():
        wide.weight.zero_()
        wide.weight[:, : old.in_channels] = old.weight
        wide.bias.copy_(old.bias)
    painter.network.stem = wide


def add_word(
    painter: TextToImage, tokenizer: WordTokenizer, word: str, like: str
) -> tuple[TextToImage, WordTokenizer]:
    """Return a copy of a model, and its tokenizer, with one more word.

    Args:
        word: The new word; its number is the last one.
        like: The known word whose vector the new word gets at first.

    Raises:
        ValueError: If the new word is known already, or the other one is not.

    Source: Gal et al., An Image is Worth One Word (textual inversion), section 3.2,
        https://arxiv.org/abs/2208.01618
    """
    if like not in tokenizer.words:
        raise ValueError(f"like must be a known word, got {like!r}.")
    start = tokenizer.encode(like)[0]
    larger = WordTokenizer((*tokenizer.words, word))
    model = copy.deepcopy(painter)
    old = model.encoder.token_embedding
    with torch.no_grad():
        rows = torch.cat((old.weight, old.weight[start : start + 1]))
    model.encoder.token_embedding = nn.Embedding.from_pretrained(rows, freeze=False)
    return model, larger
