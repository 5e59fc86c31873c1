"""A neural codec for waves: SEANet's encoder and decoder, which SoundStream and EnCodec
use, with a residual quantizer between them.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.runtime import torch_seed
from genai_tutorial.vae import ResidualVectorQuantizer, bits_per_second

from .spectrogram import MelConfig, log_mel_spectrogram, mel_spectrogram


@dataclass(frozen=True)
class SeanetConfig:
    """The settings of an encoder and its decoder.

    Attributes:
        channels: Channels at the wave's own rate; each stride doubles them.
        strides: The encoder's strides, from the wave to the vectors; their product is
            the number of samples per vector.
        dim: Dimension of a vector.
        kernel: Kernel size of the first and the last convolution of both networks.

    >>> SeanetConfig(channels=16, strides=(4, 4, 8), dim=32).hop
    128
    """

    channels: int
    strides: tuple[int, ...]
    dim: int
    kernel: int = 7

    @property
    def hop(self) -> int:
        """Samples per vector."""
        return math.prod(self.strides)


class CausalConv(nn.Module):
    """A convolution that never looks ahead: all padding is on the left, apart from the
    zeros that complete the last stride.

    Source: Défossez et al., High Fidelity Neural Audio Compression, section 3.1,
        https://arxiv.org/abs/2210.13438
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride, self.past = stride, kernel - stride
        self.convolution = nn.Conv1d(inputs, outputs, kernel, stride)

    def forward(
        self, x: Float[Tensor, "batch inputs time"]
    ) -> Float[Tensor, "batch outputs steps"]:
        """Return one output for each stride that has begun."""
        return self.convolution(
            functional.pad(x, (self.past, -x.shape[-1] % self.stride))
        )


class CausalTransposedConv(nn.Module):
    """The reverse of a strided `CausalConv`: `stride` outputs for each input, of which
    none depends on a later input.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        self.excess = kernel - stride
        self.convolution = nn.ConvTranspose1d(inputs, outputs, kernel, stride)

    def forward(
        self, x: Float[Tensor, "batch inputs steps"]
    ) -> Float[Tensor, "batch outputs time"]:
        """Return the outputs; what hangs over at the end is cut off."""
        whole = self.convolution(x)
        return whole[..., : whole.shape[-1] - self.excess]


class ResidualUnit(nn.Module):
    """Two convolutions through half the channels, beside a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.near = CausalConv(channels, channels // 2, kernel=3)
        self.mix = CausalConv(channels // 2, channels, kernel=1)
        self.shortcut = CausalConv(channels, channels, kernel=1)

    def forward(
        self, x: Float[Tensor, "batch channel time"]
    ) -> Float[Tensor, "batch channel time"]:
        """Add what the convolutions find to the shortcut."""
        inner = self.near(functional.elu(x))
        return self.shortcut(x) + self.mix(functional.elu(inner))


class SeanetEncoder(nn.Module):
    """From a wave to one vector per hop.

    Source: Tagliasacchi et al., SEANet, https://arxiv.org/abs/2009.02095
    """

    def __init__(self, config: SeanetConfig, seed: int):
        super().__init__()
        channels = config.channels
        with torch_seed(seed):
            layers: list[nn.Module] = [CausalConv(1, channels, config.kernel)]
            for stride in config.strides:
                layers += [
                    ResidualUnit(channels),
                    nn.ELU(),
                    CausalConv(channels, 2 * channels, 2 * stride, stride),
                ]
                channels *= 2
            layers += [nn.ELU(), CausalConv(channels, config.dim, config.kernel)]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, wave: Float[Tensor, "batch 1 time"]
    ) -> Float[Tensor, "batch dim frame"]:
        """Return the vectors; the last covers what is left of the wave."""
        return self.layers(wave)


class SeanetDecoder(nn.Module):
    """From one vector per hop to a wave."""

    def __init__(self, config: SeanetConfig, seed: int):
        super().__init__()
        channels = config.channels * 2 ** len(config.strides)
        with torch_seed(seed):
            layers: list[nn.Module] = [CausalConv(config.dim, channels, config.kernel)]
            for stride in reversed(config.strides):
                layers += [
                    nn.ELU(),
                    CausalTransposedConv(channels, channels // 2, 2 * stride, stride),
                    ResidualUnit(channels // 2),
                ]
                channels //= 2
            layers += [nn.ELU(), CausalConv(channels, 1, config.kernel)]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, vectors: Float[Tensor, "batch dim frame"]
    ) -> Float[Tensor, "batch 1 time"]:
        """Return `hop` samples for each vector."""
        return self.layers(vectors)


LOSS_GRIDS = (
    MelConfig(window=256, hop=64, mels=20),
    MelConfig(window=512, hop=128, mels=40),
    MelConfig(window=1024, hop=256, mels=64),
)
"""The resolutions at which `wave_codec_loss` compares spectrograms: short windows see
when, long ones which frequency.
"""

FLOOR = 1e-3
"""Magnitudes below this count as silence for the loss: without a floor, the logarithm
would ask the network to reproduce inaudible detail.
"""

DEAD = 0.2
"""A codebook entry is dead if fewer vectors of a batch choose it, on average."""

SILENCE = 60
"""The decibels below the loudest magnitude at which `log_mel_distance` hears nothing.
"""


@dataclass(frozen=True)
class WaveCodecConfig:
    """The settings of a codec.

    Attributes:
        network: The settings of the encoder and the decoder.
        rate: Samples per second.
    """

    network: SeanetConfig
    books: int = 6
    codes: int = 256
    rate: int = 16_000

    def bits_per_second(self, books: int | None = None) -> float:
        """Return the bit rate of the first `books` codebooks, by default of all.

        >>> config = WaveCodecConfig(SeanetConfig(16, (4, 4, 8), dim=32))
        >>> config.bits_per_second(), config.bits_per_second(books=1)
        (6000.0, 1000.0)
        """
        frames = self.rate / self.network.hop
        return bits_per_second(frames, books or self.books, self.codes)


@dataclass(frozen=True)
class CodedWaves:
    """The output of a codec.

    Attributes:
        waves: The waves that come out.
        vectors: The encoder's vectors, before they are quantized.
        loss: The quantizer's loss.
    """

    waves: Float[Tensor, "batch time"]
    vectors: Float[Tensor, "batch frame dim"]
    loss: Float[Tensor, ""]


class WaveCodec(nn.Module):
    """Encoder, residual quantizer and decoder.

    Source: Défossez et al., High Fidelity Neural Audio Compression, section 3,
        https://arxiv.org/abs/2210.13438; without its LSTM, its discriminators and its
        weight normalization.

    >>> codec = WaveCodec(WaveCodecConfig(SeanetConfig(4, (4, 8), dim=6)), seed=0)
    >>> codes = codec.encode(torch.zeros(1, 320))
    >>> codes.shape, codec.decode(codes).shape
    (torch.Size([1, 10, 6]), torch.Size([1, 320]))
    """

    def __init__(self, config: WaveCodecConfig, seed: int):
        super().__init__()
        self.config = config
        self.encoder = SeanetEncoder(config.network, seed)
        self.quantizer = ResidualVectorQuantizer(
            config.books, config.codes, config.network.dim
        )
        self.decoder = SeanetDecoder(config.network, seed + 1)

    def vectors(
        self, waves: Float[Tensor, "batch time"]
    ) -> Float[Tensor, "batch frame dim"]:
        """Return the encoder's vectors, before they are quantized."""
        return self.encoder(waves[:, None]).mT

    def forward(
        self, waves: Float[Tensor, "batch time"], books: int | None = None
    ) -> CodedWaves:
        """Encode the waves, quantize the vectors with the first `books` codebooks, by
        default all, and decode them.
        """
        vectors = self.vectors(waves)
        quantized = self.quantizer(vectors, books)
        rebuilt = self._waves(quantized.vectors)[:, : waves.shape[1]]
        return CodedWaves(rebuilt, vectors, quantized.loss)

    @torch.no_grad()
    def encode(
        self, waves: Float[Tensor, "batch time"], books: int | None = None
    ) -> Int[Tensor, "batch frame book"]:
        """Return the codes of each frame."""
        return self.quantizer(self.vectors(waves), books).indices

    @torch.no_grad()
    def decode(
        self, codes: Int[Tensor, "batch frame book"]
    ) -> Float[Tensor, "batch time"]:
        """Return `hop` samples for each frame."""
        return self._waves(self.quantizer.decode(codes))

    def _waves(
        self, vectors: Float[Tensor, "batch frame dim"]
    ) -> Float[Tensor, "batch time"]:
        return self.decoder(vectors.mT)[:, 0]


def wave_codec_loss(
    codec: WaveCodec,
    waves: Float[Tensor, "batch time"],
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Return the mean difference of log-mels at several resolutions, plus the samples'
    mean difference, plus the quantizer's loss.

    The number of codebooks is redrawn at each call (quantizer dropout), so that one
    codec serves all bit rates, and dead entries are replaced by current vectors.

    Source: Défossez et al., section 3.4: their reconstruction loss, with logarithms
        instead of squares beside the absolute differences.
    """
    books = 1 + int(torch.randint(codec.config.books, (), generator=generator))
    coded = codec(waves, books)
    codec.quantizer.restart(coded.vectors.detach(), generator, below=DEAD)
    spectral = torch.stack(
        [
            functional.l1_loss(_floored(coded.waves, grid), _floored(waves, grid))
            for grid in LOSS_GRIDS
        ]
    ).mean()
    return spectral + functional.l1_loss(coded.waves, waves) + coded.loss


def log_mel_distance(
    rebuilt: Float[Tensor, "*batch time"], original: Float[Tensor, "*batch length"]
) -> float:
    """Return the mean absolute difference of two waves' log-mel spectrograms, in nats.

    Magnitudes more than 60 decibels below the loudest of the original count as silence
    in both.

    Raises:
        ValueError: If the waves differ in length.

    >>> wave = torch.linspace(-1, 1, 4000).sin()
    >>> log_mel_distance(wave, wave)
    0.0
    """
    if rebuilt.shape != original.shape:
        raise ValueError(
            "the waves must have the same shape, got "
            f"{tuple(rebuilt.shape)} and {tuple(original.shape)}."
        )
    wanted, found = (
        log_mel_spectrogram(wave, MelConfig()) for wave in (original, rebuilt)
    )
    floor = wanted.max() - SILENCE / 20 * math.log(10)
    return (wanted.clamp(min=floor) - found.clamp(min=floor)).abs().mean().item()


def _floored(
    waves: Float[Tensor, "batch time"], grid: MelConfig
) -> Float[Tensor, "batch mel frame"]:
    return (mel_spectrogram(waves, grid) + FLOOR).log()
