"""The recipes of the chorale models: four voices as four streams in a delay pattern."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.audio import (
    CodebookPattern,
    MultiStreamConfig,
    MultiStreamLM,
    multi_stream_loss,
    stream_losses,
)
from genai_tutorial.data import CHORALES_SOURCE, load_chorale_split
from genai_tutorial.tasks.music import (
    CODES,
    FEATURES,
    WINDOW,
    ChoraleWindows,
    chorale_windows,
    compose,
    decode_cells,
    harmonize,
    judge_counterpoint,
    play_chorale,
)
from genai_tutorial.training import OptimizerSettings
from genai_tutorial.transformer import DecoderConfig

from .recipe import (
    DECODER_RATES,
    Recipe,
    RunSettings,
    SoundSamples,
    Trained,
    draw_items,
)

SAMPLES = 150
"""The number of sampled pieces on which a card's counterpoint is measured."""


@dataclass(frozen=True, kw_only=True)
class ChoraleOptions:
    """The options of a chorale model."""

    temperature: float | int = 0.8
    top_p: float | int = 0.9
    harmonize: int = 0
    eighth: float | int = 0.3

    def __post_init__(self):
        if self.harmonize not in (0, 1):
            raise ValueError(f"harmonize must be 0 or 1, got {self.harmonize}.")
        if not 0 < self.eighth <= 2:
            raise ValueError(
                f"eighth must be above 0 and at most 2 seconds, got {self.eighth}."
            )


@dataclass(frozen=True, kw_only=True)
class ChoraleRecipe(Recipe):
    """A recipe for a model of four voices."""

    config: MultiStreamConfig
    optimizer: OptimizerSettings

    network = MultiStreamLM
    source = CHORALES_SOURCE
    makes = "sounds"
    rate = 16_000
    options = ChoraleOptions()
    metric = "held_out_nats_per_step"
    in_words = (
        "{held_out_nats_per_step:.2f} nats per step on unseen melodies, "
        "{chord_share[sampled]:.0%} of its onsets are chords"
    )

    def windows(self) -> tuple[ChoraleWindows, ChoraleWindows]:
        """Return the training windows in every key and the held-out windows."""
        train, held_out = load_chorale_split()
        return (
            chorale_windows(train, every_key=True),
            chorale_windows(held_out, hop=WINDOW),
        )

    def fit(self, run: RunSettings) -> Trained:
        train, held_out = self.windows()
        return run.fit(
            self,
            self.build(),
            run.batches(self, train.codes, train.features),
            multi_stream_loss,
            evaluate=lambda model: float(window_losses(model, held_out).mean()),
            evaluate_every=200,
        )

    def measure(self, model: MultiStreamLM) -> dict:
        held_out = self.windows()[1]
        generator = torch.Generator().manual_seed(0)
        bach = decode_cells(held_out.codes)
        features = held_out.features.repeat(2, 1, 1)[:SAMPLES]
        pieces = {
            "sampled": compose(model, features, generator=generator),
            "harmonized": harmonize(
                model, bach[:, 0], held_out.features, generator=generator
            ),
            "bach": bach,
        }
        losses = window_losses(model, held_out)
        counted = {name: judge_counterpoint(cells) for name, cells in pieces.items()}
        return {
            "held_out_nats_per_step": round(float(losses.mean()), 4),
            "held_out_windows": len(held_out),
            "chord_share": {
                name: round(count.chord_share, 4) for name, count in counted.items()
            },
            "parallels_per_100": {
                name: round(count.parallels_per_100, 2)
                for name, count in counted.items()
            },
        }

    def score(self, loaded: MultiStreamLM, n: int, seed: int) -> list:
        losses = window_losses(loaded, self.windows()[1]).tolist()
        return draw_items(losses, n, seed)

    def sample(
        self, loaded: MultiStreamLM, options: ChoraleOptions, count: int, seed: int
    ) -> SoundSamples:
        held_out = self.windows()[1]
        generator = torch.Generator().manual_seed(seed)
        places = torch.randint(len(held_out), (count,), generator=generator)
        features = held_out.features[places]
        sampling = {"temperature": options.temperature, "top_p": options.top_p}
        if options.harmonize:
            melodies = decode_cells(held_out.codes[places, 0])
            cells = harmonize(
                loaded, melodies, features, **sampling, generator=generator
            )
        else:
            cells = compose(loaded, features, **sampling, generator=generator)
        return SoundSamples(
            torch.stack(
                [play_chorale(piece, options.eighth, self.rate) for piece in cells]
            ),
            self.rate,
        )


@torch.no_grad()
def window_losses(
    model: MultiStreamLM, windows: ChoraleWindows
) -> Float[Tensor, " window"]:
    """Return the cross-entropy of each window in nats per step, summed over voices."""
    device = next(model.parameters()).device
    codes, features = windows.codes.to(device), windows.features.to(device)
    return stream_losses(model, codes, features).sum(dim=1)


DELAYED = CodebookPattern.delayed(4)

LIVE = ChoraleRecipe(
    name="bach-chorales-live",
    title=(
        "A model of four voices with 0.6 million parameters that learns Bach's "
        "chorales in half a minute"
    ),
    config=MultiStreamConfig(
        DecoderConfig.fast(
            vocab_size=CODES,
            context_length=DELAYED.columns(WINDOW),
            width=128,
            layers=3,
            heads=4,
        ),
        DELAYED,
        FEATURES,
    ),
    optimizer=DECODER_RATES,
    batch_size=16,
    steps=220,
    warmup_steps=10,
    published=False,
)
"""The model that chapter 18 trains live."""

LONGER = replace(
    LIVE,
    name="bach-chorales",
    title="A model of four voices that composes and harmonizes chorales",
    config=replace(LIVE.config, decoder=replace(LIVE.config.decoder, layers=4)),
    steps=1000,
    warmup_steps=20,
    ema_decay=0.99,
    published=True,
)
"""The model that harmonizes a melody for `genai-tutorial sample`. It stops early: there
are only 298 chorales to learn from, and after some 700 steps the loss on unseen
melodies rises again, as the card shows; after 2,500 steps it was 4.8 nats.
"""
