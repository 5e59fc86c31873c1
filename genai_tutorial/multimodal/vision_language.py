"""The vision-language model: an image encoder, a projector, and a decoder that reads
the image's vectors in front of the text.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    LearnedPositions,
)

from .encoders import ImageEncoder, ImageEncoderConfig, initialize


@dataclass(frozen=True)
class VisionLanguageConfig:
    """The settings of a vision-language model.

    Attributes:
        image: The image encoder; each of its patches becomes one vector of the prefix.
        decoder: The decoder; its context window holds the prefix and the text.
    """

    image: ImageEncoderConfig
    decoder: DecoderConfig


class Projector(nn.Module):
    """Maps the vectors of an image encoder to the width of a decoder: layer norm, a
    linear layer, GELU and a linear layer.

    Source: Liu et al., Improved Baselines with Visual Instruction Tuning, section 3.2
        (LLaVA-1.5's projector, which has no norm), https://arxiv.org/abs/2310.03744

    >>> Projector(source_width=96, width=128)(torch.zeros(2, 16, 96)).shape
    torch.Size([2, 16, 128])
    """

    def __init__(self, source_width: int, width: int, seed: int = 0):
        super().__init__()
        self.norm = nn.LayerNorm(source_width)
        self.input = nn.Linear(source_width, width)
        self.output = nn.Linear(width, width)
        initialize(self, seed)

    def forward(
        self, vectors: Float[Tensor, "batch square source_width"]
    ) -> Float[Tensor, "batch square width"]:
        """Project each vector on its own."""
        return self.output(functional.gelu(self.input(self.norm(vectors))))


def without_last_block(encoder: ImageEncoder) -> ImageEncoder:
    """Return a copy of an image encoder without its last block.

    CLIP's loss reads the last block only at the class token, so its outputs at the
    patches were never trained. LLaVA, too, takes the vectors before it.

    Source: Liu et al., Visual Instruction Tuning, section 4.1 and appendix ("layer
        before the last"), https://arxiv.org/abs/2304.08485
    """
    settings = encoder.config.encoder
    shorter = replace(settings, layers=settings.layers - 1)
    copy = ImageEncoder(replace(encoder.config, encoder=shorter))
    names = copy.state_dict().keys()
    weights = encoder.state_dict()
    copy.load_state_dict({name: weights[name] for name in names})
    return copy


class SeeingModel(nn.Module):
    """A decoder that can `read` texts about images, from an encoder's vectors."""

    def look(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch square features"]:
        """Return the image encoder's vector of each square, without the class token's.

        As long as the encoder is frozen, these can be computed once for all epochs.

        Raises:
            ValueError: If the images have another size or number of channels.
        """
        return self.image_encoder.read(images)[:, 1:]

    def forward(
        self,
        images: Float[Tensor, "batch channel height width"],
        ids: Int[Tensor, "batch token"],
        documents: Int[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch token vocab"]:
        """Look at the images and read the texts about them; see `read`."""
        return self.read(self.look(images), ids, documents)


class VisionLanguageModel(SeeingModel):
    """A decoder that reads an image as a prefix of vectors, one for each square patch,
    and then text. All methods also accept a video's vectors instead of an image's.

    Source: Liu et al., Visual Instruction Tuning, section 4.1,
        https://arxiv.org/abs/2304.08485
    """

    def __init__(self, config: VisionLanguageConfig, seed: int = 0):
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config.image, seed)
        width = config.decoder.width
        self.projector = Projector(config.image.encoder.width, width, seed + 1)
        # Learned, and zero at first: the encoder's outputs may have lost the positions.
        self.square_positions = LearnedPositions(config.image.patches, width)
        self.decoder = DecoderLM(config.decoder, seed + 2)

    def prefix(
        self, squares: Float[Tensor, "batch *frame square features"]
    ) -> Float[Tensor, "batch position width"]:
        """Return the vectors that come before the text: an image's, or those of all
        frames of a video, one frame after the other.
        """
        vectors = self.square_positions(self.projector(squares.flatten(0, -3)))
        return vectors.reshape(len(squares), -1, vectors.shape[-1])

    def read(
        self,
        squares: Float[Tensor, "batch *frame square features"],
        ids: Int[Tensor, "batch token"],
        documents: Int[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch token vocab"]:
        """Return the logits of the next token after each token of the text.

        Args:
            squares: The output of `look`.
            documents: The number of the question that each token belongs to, from 1:
                each question sees the image and itself. None for a single text.

        Raises:
            ValueError: If image and text do not fit into the context window, or a token
                is not in the vocabulary.
        """
        image = self.prefix(squares)
        text = self.decoder.embed(ids, AttentionContext())
        context = None
        if documents is not None:
            of_image = documents.new_zeros(image.shape[:2])
            context = AttentionContext.prefixed(torch.cat([of_image, documents], dim=1))
        hidden = self.decoder.read_vectors(torch.cat([image, text], dim=1), context)
        return self.decoder.logits(hidden[:, image.shape[1] :])

    @torch.no_grad()
    def attention_to_image(
        self,
        squares: Float[Tensor, "batch *frame square features"],
        ids: Int[Tensor, "batch token"],
    ) -> Float[Tensor, "batch layer head position"]:
        """Return the attention weight of the last token on each square of the image;
        with the weights on the text, a head's weights sum to 1.
        """
        image = self.prefix(squares)
        x = torch.cat([image, self.decoder.embed(ids, AttentionContext())], dim=1)
        maps = []
        for block in self.decoder.blocks:
            maps.append(block.attention_weights(x)[:, :, -1, : image.shape[1]])
            x = block(x)
        return torch.stack(maps, dim=1)


def answer_loss(
    logits: Float[Tensor, "batch token vocab"],
    ids: Int[Tensor, "batch token"],
    is_answer: Bool[Tensor, "batch token"],
) -> Float[Tensor, ""]:
    """Return the mean of -ln p(token) over the tokens of the answers, in nats.

    The logits after a token predict the next one, so they are compared with the ids
    shifted by one; without the shift, a model learns to repeat the token it reads.

    Raises:
        ValueError: If no token belongs to an answer.

    >>> logits = torch.zeros(1, 3, 8)
    >>> answer_loss(
    ...     logits, torch.tensor([[4, 5, 6]]), torch.tensor([[False, False, True]])
    ... )
    tensor(2.0794)
    """
    chosen = is_answer[:, 1:]
    if not chosen.any():
        raise ValueError("No token belongs to an answer, so there is no loss.")
    return functional.cross_entropy(logits[:, :-1][chosen], ids[:, 1:][chosen])


def attention_to_frames(
    model: VisionLanguageModel,
    films: Float[Tensor, "batch frame square features"],
    ids: Int[Tensor, "batch token"],
) -> Float[Tensor, "batch layer head frame"]:
    """Return the attention weight of the last token of the text on each frame."""
    weights = model.attention_to_image(films, ids)
    return weights.unflatten(3, films.shape[1:3]).sum(dim=4)
