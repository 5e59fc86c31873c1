"""One decoder for words and images: image tokens from k-means, the vocabulary of both,
and the model that draws and answers.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import AttentionContext, DecoderConfig, DecoderLM
from genai_tutorial.vae import k_means, nearest_codes, random_codebook

from .vision_language import answer_loss


@dataclass(frozen=True)
class ImageTokenizer:
    """Turns latents into codes and back.

    Attributes:
        codebook: The vector of each code.
        rows: The height of the grid of latents.
    """

    codebook: Float[Tensor, "codes dim"]
    rows: int
    columns: int

    @classmethod
    def fit(
        cls,
        latents: Float[Tensor, "image dim rows columns"],
        codes: int,
        *,
        seed: int,
    ) -> "ImageTokenizer":
        """Fit a codebook to the latents of some images, from `encode_images`, by
        k-means with random latents as the first centres.

        Raises:
            ValueError: If there are fewer latents than codes.
        """
        points = _points(latents)
        generator = torch.Generator().manual_seed(seed)
        codebook = k_means(points, random_codebook(points, codes, generator))
        return cls(codebook, latents.shape[2], latents.shape[3])

    @property
    def codes(self) -> int:
        """The size of the codebook."""
        return len(self.codebook)

    @property
    def tokens(self) -> int:
        """The number of codes of an image."""
        return self.rows * self.columns

    def encode(
        self, latents: Float[Tensor, "image dim rows columns"]
    ) -> Int[Tensor, "image token"]:
        """Return the nearest code at each position, row by row."""
        return nearest_codes(_points(latents), self.codebook).view(len(latents), -1)

    def decode(
        self, codes: Int[Tensor, "image token"]
    ) -> Float[Tensor, "image dim rows columns"]:
        """Return the codebook's latents for these codes."""
        grid = self.codebook[codes].view(len(codes), self.rows, self.columns, -1)
        return grid.permute(0, 3, 1, 2)


def _points(latents: Tensor) -> Float[Tensor, "n dim"]:
    """Return the latent vector of each position of each image."""
    return latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])


@dataclass(frozen=True)
class StreamVocabulary:
    """The tokens of a stream: words, then the start and end of an image, then image
    codes.

    Attributes:
        words: The number of words, including padding.

    Source: Chameleon Team, Chameleon: Mixed-Modal Early-Fusion Foundation Models,
        section 2.1, https://arxiv.org/abs/2405.09818

    >>> vocabulary = StreamVocabulary(words=50, codes=128)
    >>> vocabulary.size, vocabulary.image(torch.tensor([[0, 127]])).tolist()
    (180, [[50, 52, 179, 51]])
    """

    words: int
    codes: int

    @property
    def size(self) -> int:
        """The number of different tokens."""
        return self.words + 2 + self.codes

    @property
    def image_start(self) -> int:
        """The token before the codes of an image."""
        return self.words

    @property
    def image_end(self) -> int:
        """The token after the codes of an image."""
        return self.words + 1

    @property
    def first_code(self) -> int:
        """The token of code 0."""
        return self.words + 2

    def image(self, codes: Int[Tensor, "image code"]) -> Int[Tensor, "image token"]:
        """Return the tokens of images: the start, the codes and the end.

        Raises:
            ValueError: If a code is not from 0 to the number of codes.
        """
        if codes.min() < 0 or codes.max() >= self.codes:
            raise ValueError(
                f"codes must be from 0 to {self.codes - 1}, got values from "
                f"{codes.min()} to {codes.max()}."
            )
        edge = codes.new_ones(len(codes), 1)
        return torch.cat(
            [self.image_start * edge, codes + self.first_code, self.image_end * edge],
            dim=1,
        )


class StreamModel(nn.Module):
    """One decoder over words and image codes: after a caption it draws, after an image
    it answers.

    Args:
        config: The decoder's settings; `vocab_size` is the vocabulary's size.

    Source: Chameleon Team, Chameleon: Mixed-Modal Early-Fusion Foundation Models,
        section 2, https://arxiv.org/abs/2405.09818
    """

    def __init__(
        self, config: DecoderConfig, vocabulary: StreamVocabulary, seed: int = 0
    ):
        super().__init__()
        self.vocabulary = vocabulary
        self.decoder = DecoderLM(config, seed)

    def read(
        self,
        codes: Int[Tensor, "batch code"],
        ids: Int[Tensor, "batch token"],
        documents: Int[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch token vocab"]:
        """Return the logits of the next token after each token of a text about an
        image; arguments and errors as for `VisionLanguageModel.read`.
        """
        image = self.vocabulary.image(codes)
        context = None
        if documents is not None:
            of_image = torch.zeros_like(image)
            context = AttentionContext.prefixed(torch.cat([of_image, documents], dim=1))
        logits = self.decoder(torch.cat([image, ids], dim=1), context)
        return logits[:, image.shape[1] :]

    def drawing_logits(
        self,
        captions: Int[Tensor, "batch token"],
        codes: Int[Tensor, "batch code"],
    ) -> Float[Tensor, "batch code vocab"]:
        """Return the logits of each code of an image, given its caption and the codes
        before it.
        """
        row = torch.cat([captions, self.vocabulary.image(codes)], dim=1)
        logits = self.decoder(row)
        first = captions.shape[1]  # the position of the token that starts the image
        return logits[:, first : first + codes.shape[1]]

    def forward(
        self,
        captions: Int[Tensor, "batch word"],
        codes: Int[Tensor, "batch code"],
        ids: Int[Tensor, "batch token"],
        is_answer: Bool[Tensor, "batch token"],
        documents: Int[Tensor, "batch token"],
    ) -> Float[Tensor, ""]:
        """Return the loss of both kinds of document, in nats per token: the mean over
        the image codes after captions, plus the mean over the answers after images.
        """
        drawn = functional.cross_entropy(
            self.drawing_logits(captions, codes).flatten(0, 1),
            (codes + self.vocabulary.first_code).flatten(),
        )
        return drawn + answer_loss(self.read(codes, ids, documents), ids, is_answer)

    @torch.no_grad()
    def draw(
        self,
        captions: Int[Tensor, "image word"],
        codes: int,
        *,
        generator: torch.Generator,
        temperature: float | int = 1.0,
        guidance: float | int = 1.0,
        empty: Int[Tensor, "word"] | None = None,
    ) -> Int[Tensor, "image code"]:
        """Draw images code by code; no other token is allowed inside an image.

        Args:
            captions: The captions, all padded to one length as in training.
            temperature: Below 1 favours likely codes.
            guidance: The weight of classifier-free guidance; 1 for none.
            empty: The empty caption, for guidance.

        Raises:
            ValueError: If a number is out of range, or guidance has no empty caption.

        Source: Gafni et al., Make-A-Scene, section 3.4 (guidance of an autoregressive
            model), https://arxiv.org/abs/2203.13131
        """
        if codes < 1 or temperature <= 0:
            raise ValueError(
                "codes must be at least 1 and temperature above 0, got "
                f"{codes} and {temperature}."
            )
        if guidance != 1 and empty is None:
            raise ValueError("Guidance needs an empty caption to lead away from.")
        n, first = len(captions), self.vocabulary.first_code
        device = next(self.parameters()).device
        if guidance != 1:
            captions = torch.cat([captions, empty.expand(n, -1)])
        captions = captions.to(device)
        start = captions.new_full((len(captions), 1), self.vocabulary.image_start)
        unread, drawn = torch.cat([captions, start], dim=1), []
        cache = self.decoder.make_cache(len(captions), unread.shape[1] + codes)
        while len(drawn) < codes:
            hidden = self.decoder.read(unread, AttentionContext.cached(cache))[:, -1:]
            logits = self.decoder.logits(hidden)[:, 0, first:]
            if guidance != 1:
                told, untold = logits.split(n)
                logits = untold + guidance * (told - untold)
            chances = (logits / temperature).softmax(dim=1)
            code = torch.multinomial(
                chances.to(generator.device), 1, generator=generator
            )
            drawn.append(code.to(device))
            unread = (drawn[-1] + first).repeat(len(captions) // n, 1)
        return torch.cat(drawn, dim=1)
