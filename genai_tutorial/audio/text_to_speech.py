"""Text to speech: a synthesizer with its lexicon, from sentences to waves."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.audio.griffin_lim import mel_to_wave
from genai_tutorial.audio.lexicon import Lexicon
from genai_tutorial.audio.speech_synthesis import SpeechSynthesizer


@dataclass(frozen=True)
class TextToSpeech:
    """A synthesizer that speaks the words of its lexicon.

    Attributes:
        model: The synthesizer.
        lexicon: The phonemes of each word.
        symbols: All phonemes, in the order of the model's phoneme ids.
        voices: The names of the model's voices.

    Raises:
        ValueError: If the number of symbols or of voices is not the model's.
    """

    model: SpeechSynthesizer
    lexicon: Lexicon
    symbols: tuple[str, ...]
    voices: tuple[str, ...]

    def __post_init__(self):
        config = self.model.config
        wanted, given = (
            (config.symbols, config.voices),
            (len(self.symbols), len(self.voices)),
        )
        if wanted != given:
            raise ValueError(
                f"The model has {wanted[0]} symbols and {wanted[1]} voices, got names "
                f"for {given[0]} and {given[1]}."
            )

    @property
    def rate(self) -> int:
        """The sample rate of the waves, in samples per second."""
        return self.model.config.mel.rate

    def paint(
        self, text: str, mixture: Sequence[float | int], pace: float | int = 1.0
    ) -> Float[Tensor, "mel frame"]:
        """Return the log-mel spectrogram of a sentence.

        Args:
            text: The sentence.
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
        steps: int = 32,
    ) -> Float[Tensor, "sample"]:
        """Return the wave of a sentence, with a peak of 0.8.

        Args:
            text: The sentence.
            mixture: The share of each voice.
            generator: Random generator of Griffin-Lim's initial phases.
            pace: Above 1 speaks faster.
            steps: Number of iterations of Griffin-Lim.

        Raises:
            ValueError: If `paint` would raise it.
        """
        log_mels = self.paint(text, mixture, pace)
        wave = mel_to_wave(log_mels, self.model.config.mel, generator, steps)
        return 0.8 * wave / wave.abs().max().clamp(min=1e-6)
