"""Non-autoregressive text to speech: an encoder reads the phonemes and predicts their
durations, a length regulator repeats each vector for that many frames, and a decoder
outputs all frames of the spectrogram at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.multimodal import EncoderConfig, initialize
from genai_tutorial.runtime import torch_seed
from genai_tutorial.transformer import (
    AttentionContext,
    RotaryEmbedding,
    padding_mask,
    rotary_frequencies,
)

from .ctc import Lexicon
from .recognizer import SpeechBlock
from .spectrogram import MelConfig, mel_to_wave

_MIDDLE, _SPREAD = -5.0, 3.0  # of log-mels: the network outputs about -1 to 1


@dataclass(frozen=True)
class SynthesizerConfig:
    """The settings of a synthesizer.

    Attributes:
        blocks: The settings of both stacks, the encoder of the phonemes and the decoder
            of the frames.
        symbols: The number of phonemes, the pause included.
        mel: The grid of the spectrogram.
        kernel: The number of neighbours that a block's convolution mixes; odd.
        context_length: The largest number of frames.
    """

    blocks: EncoderConfig
    symbols: int
    voices: int = 1
    mel: MelConfig = MelConfig(rate=16_000, window=1024, hop=256, mels=64)  # noqa: RUF009
    kernel: int = 5
    context_length: int = 1024


def length_regulator(
    vectors: Float[Tensor, "batch phoneme width"],
    durations: Int[Tensor, "batch phoneme"],
) -> tuple[Float[Tensor, "batch frame width"], Float[Tensor, "batch frame"]]:
    """Repeat each phoneme's vector for as many frames as it lasts: 0 for the padding.

    Returns:
        The vectors of the frames, padded with zeros, and for each frame the fraction of
        its phoneme that has elapsed, in [0, 1).

    Raises:
        ValueError: If a duration is negative.

    Source: Ren et al., FastSpeech, section 3.2, https://arxiv.org/abs/1905.09263

    >>> vectors, elapsed = length_regulator(
    ...     torch.tensor([[[1.0], [5.0]]]), torch.tensor([[2, 1]])
    ... )
    >>> vectors[0, :, 0].tolist(), elapsed[0].tolist()
    ([1.0, 1.0, 5.0], [0.0, 0.5, 0.0])
    """
    if (durations < 0).any():
        raise ValueError(
            f"A duration must not be negative, got {int(durations.min())}."
        )
    ends = durations.cumsum(dim=1)
    frame = torch.arange(int(ends[:, -1].max()), device=durations.device)
    # the phoneme of a frame: how many phonemes have ended by then
    phoneme = (frame[None, :, None] >= ends[:, None]).sum(dim=2)
    is_sound = phoneme < durations.shape[1]
    phoneme = phoneme.clamp(max=durations.shape[1] - 1)
    repeated = vectors.gather(1, phoneme[..., None].expand(-1, -1, vectors.shape[2]))
    length = durations.gather(1, phoneme)
    start = ends.gather(1, phoneme) - length
    elapsed = (frame - start) / length.clamp(min=1) * is_sound
    return repeated * is_sound[..., None], elapsed


class SpeechSynthesizer(nn.Module):
    """A synthesizer in the style of FastSpeech: phonemes to log-mel spectrograms.

    Source: Ren et al., FastSpeech 2, section 2 (durations taken from an alignment),
        https://arxiv.org/abs/2006.04558
    """

    def __init__(self, config: SynthesizerConfig, seed: int):
        super().__init__()
        self.config = config
        blocks = config.blocks
        with torch_seed(seed):
            self.phoneme = nn.Embedding(config.symbols, blocks.width)
            self.voice = nn.Embedding(config.voices, blocks.width)
            frequencies = rotary_frequencies(blocks.width // blocks.heads, 10_000)
            rotary = RotaryEmbedding(frequencies, config.context_length)
            self.readers, self.painters = (
                nn.ModuleList(
                    SpeechBlock(blocks, config.kernel, rotary)
                    for _ in range(blocks.layers)
                )
                for _ in range(2)
            )
            self.duration_norm = nn.LayerNorm(blocks.width)
            self.duration_head = nn.Linear(blocks.width, 1)
            self.elapsed = nn.Linear(1, blocks.width)
            self.norm = nn.LayerNorm(blocks.width)
            self.head = nn.Linear(blocks.width, config.mel.mels)
        initialize(self, seed)

    def read(
        self,
        phonemes: Int[Tensor, "batch phoneme"],
        counts: Int[Tensor, "batch"],
        voice: Float[Tensor, "batch width"],
    ) -> tuple[Float[Tensor, "batch phoneme width"], Float[Tensor, "batch phoneme"]]:
        """Return a vector for each phoneme and the logarithm of its duration in frames;
        `counts` is the number of phonemes of each sentence, without the padding.
        """
        x = self.phoneme(phonemes) + voice[:, None]
        x = _apply(self.readers, x, counts)
        return x, self.duration_head(self.duration_norm(x))[..., 0]

    def paint(
        self,
        vectors: Float[Tensor, "batch phoneme width"],
        durations: Int[Tensor, "batch phoneme"],
    ) -> Float[Tensor, "batch mel frame"]:
        """Return the log-mel spectrograms of phonemes with the given durations in
        frames.

        Raises:
            ValueError: If a sentence has more frames than `context_length`.
        """
        frames = durations.sum(dim=1)
        if int(frames.max()) > self.config.context_length:
            raise ValueError(
                f"A sentence may last {self.config.context_length} frames, got "
                f"{int(frames.max())}: split it into two."
            )
        x, elapsed = length_regulator(vectors, durations)
        x = _apply(self.painters, x + self.elapsed(elapsed[..., None]), frames)
        return _MIDDLE + _SPREAD * self.head(self.norm(x)).mT

    def forward(
        self,
        phonemes: Int[Tensor, "batch phoneme"],
        counts: Int[Tensor, "batch"],
        durations: Int[Tensor, "batch phoneme"],
        voices: Int[Tensor, "batch"],
    ) -> tuple[Float[Tensor, "batch phoneme"], Float[Tensor, "batch mel frame"]]:
        """Return the predicted logarithms of the durations, and the spectrograms for
        the ground-truth durations.
        """
        vectors, log_durations = self.read(phonemes, counts, self.voice(voices))
        return log_durations, self.paint(vectors, durations)

    @torch.no_grad()
    def speak(
        self,
        phonemes: Int[Tensor, "phoneme"],
        voice: Float[Tensor, "width"],
        pace: float | int = 1.0,
    ) -> Float[Tensor, "mel frame"]:
        """Return the log-mel spectrogram of a sentence.

        Args:
            voice: The vector of the voice: a row of `voice.weight`, or a mixture.
            pace: Above 1 speaks faster.

        Raises:
            ValueError: If `pace` is not above 0, or the sentence is too long.
        """
        if not pace > 0:
            raise ValueError(f"pace must be above 0, got {pace}.")
        counts = torch.tensor([len(phonemes)], device=phonemes.device)
        vectors, log_durations = self.read(phonemes[None], counts, voice[None])
        durations = (log_durations.exp() / pace).round().long().clamp(min=1)
        return self.paint(vectors, durations)[0]


def synthesis_loss(
    model: nn.Module,
    phonemes: Int[Tensor, "batch phoneme"],
    counts: Int[Tensor, "batch"],
    durations: Int[Tensor, "batch phoneme"],
    voices: Int[Tensor, "batch"],
    log_mels: Float[Tensor, "batch mel frame"],
) -> Float[Tensor, ""]:
    """Return the mean absolute error of the spectrogram, plus the mean squared error of
    the logarithms of the durations.

    Args:
        phonemes: The numbers of the phonemes, padded.
        counts: The number of phonemes of each sentence.
        durations: The number of frames of each phoneme; 0 for the padding.
        log_mels: The spectrograms, padded.
    """
    log_durations, painted = model(phonemes, counts, durations, voices)
    is_phoneme = padding_mask(counts, phonemes.shape[1])[:, 0, 0]
    is_sound = padding_mask(durations.sum(dim=1), log_mels.shape[2])[:, 0]
    wanted = durations.clamp(min=1).float().log()
    duration_error = ((log_durations - wanted).square() * is_phoneme).sum()
    error = ((painted - log_mels).abs() * is_sound).sum() / log_mels.shape[1]
    return error / is_sound.sum() + duration_error / is_phoneme.sum()


def _apply(
    blocks: nn.ModuleList,
    x: Float[Tensor, "batch position width"],
    lengths: Int[Tensor, "batch"],
) -> Float[Tensor, "batch position width"]:
    context = AttentionContext.padded(lengths, x.shape[1])
    is_there = padding_mask(lengths, x.shape[1])[:, 0, 0, :, None].float()
    for block in blocks:
        x = block(x, is_there, context)
    return x


@dataclass(frozen=True)
class TextToSpeech:
    """A synthesizer that speaks the words of its lexicon.

    Attributes:
        lexicon: The phonemes of each word.
        symbols: All phonemes, in the order of the model's phoneme ids.
        voices: The names of the model's voices.
    """

    model: SpeechSynthesizer
    lexicon: Lexicon
    symbols: tuple[str, ...]
    voices: tuple[str, ...]

    @property
    def rate(self) -> int:
        """The sample rate of the waves, in samples per second."""
        return self.model.config.mel.rate

    def paint(
        self, text: str, mixture: Sequence[float | int], pace: float | int = 1.0
    ) -> Float[Tensor, "mel frame"]:
        """Return the log-mel spectrogram of a sentence.

        Args:
            mixture: The share of each voice, such as (1, 0) for the first of two and
                (0.5, 0.5) for a voice halfway between them.
            pace: Above 1 speaks faster.

        Raises:
            ValueError: If a word is not in the lexicon, `mixture` does not have a
                share for each voice, or `pace` is not above 0.
        """
        if len(mixture) != len(self.voices):
            raise ValueError(
                f"mixture needs a share of each voice ({', '.join(self.voices)}), got "
                f"{len(mixture)} numbers."
            )
        number = {symbol: place for place, symbol in enumerate(self.symbols)}
        phonemes = torch.tensor([number[one] for one in self.lexicon.phonemes(text)])
        shares = torch.tensor([float(share) for share in mixture])
        voices = self.model.eval().voice.weight
        with torch.no_grad():
            return self.model.speak(
                phonemes.to(voices.device), shares.to(voices.device) @ voices, pace
            )

    def say(
        self,
        text: str,
        mixture: Sequence[float | int],
        generator: torch.Generator,
        pace: float | int = 1.0,
    ) -> Float[Tensor, "sample"]:
        """Return the wave of a sentence, with a peak of 0.8; arguments and errors as
        for `paint`.
        """
        log_mels = self.paint(text, mixture, pace)
        wave = mel_to_wave(log_mels, self.model.config.mel, generator, 32)
        return 0.8 * wave / wave.abs().max().clamp(min=1e-6)
