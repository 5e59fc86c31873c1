"""The recipes for the two models that solve Latin squares: one writes from left to
right, the other fills in masked cells.
"""

from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial.diffusion import Quota, mask_tokens, masked_loss, unmask
from genai_tutorial.tasks.latin import (
    HELD_OUT,
    LATIN_SOURCE,
    OPEN,
    ORDER,
    is_latin,
    latin_split,
    left_to_right_loss,
    solve_left_to_right,
)
from genai_tutorial.training import OptimizerSettings
from genai_tutorial.transformer import AttentionConfig, DecoderConfig, DecoderLM

from .recipe import RunSettings, Trained, draw_items, mean
from .sampling import TextRecipe

CLUES = 8
"""The number of cells that are given in the held-out puzzles."""

CELLS = ORDER * ORDER


@dataclass(frozen=True, kw_only=True)
class LatinOptions:
    """How many cells of a held-out square are given."""

    clues: int = CLUES

    def __post_init__(self):
        if not 0 <= self.clues < CELLS:
            raise ValueError(f"clues must be from 0 to {CELLS - 1}, got {self.clues}.")


@dataclass(frozen=True, kw_only=True)
class LatinRecipe(TextRecipe):
    """A recipe for a decoder that completes Latin squares; whether its attention is
    causal decides how it is trained and how it fills the cells.
    """

    config: DecoderConfig

    network = DecoderLM
    source = LATIN_SOURCE
    options = LatinOptions()
    metric = "solved_with_8_clues"
    in_words = "{solved_with_8_clues:.1%} of unseen squares with 8 cells given solved"

    def fit(self, run: RunSettings) -> Trained:
        squares, _ = latin_split()
        loss = left_to_right_loss
        if not self.config.attention.causal:
            loss = partial(masked_loss, mask_token=OPEN)
        return run.fit(
            self,
            self.build(),
            run.batches(self, squares),
            loss,
            generator=torch.Generator().manual_seed(self.seed),
            losses_every=20,
        )

    def measure(self, model: DecoderLM) -> dict:
        solved = self.score(model, HELD_OUT, 0)
        return {
            self.metric: round(mean([float(one) for one in solved]), 4),
            "held_out_squares": HELD_OUT,
            "filled": "in reading order"
            if self.config.attention.causal
            else "the surest cell first, one per call",
        }

    def score(self, loaded: DecoderLM, n: int, seed: int) -> list:
        chosen = torch.tensor(draw_items(range(HELD_OUT), n, seed))
        return is_latin(self._solve(loaded, held_out_puzzles(CLUES)[chosen])).tolist()

    def write(self, loaded: DecoderLM, options: LatinOptions, seed: int) -> str:
        """Return a puzzle beside what the model makes of it."""
        puzzles = held_out_puzzles(options.clues)
        place = torch.randint(
            len(puzzles), (1,), generator=torch.Generator().manual_seed(seed)
        )
        device = loaded.token_embedding.weight.device
        solved = self._solve(loaded, puzzles[place].to(device))
        lines = [
            " ".join(str(n) if n else "." for n in before)
            + "    "
            + " ".join(map(str, after))
            for before, after in zip(
                puzzles[place].view(ORDER, ORDER).tolist(),
                solved.view(ORDER, ORDER).tolist(),
                strict=True,
            )
        ]
        verdict = "a Latin square" if is_latin(solved) else "not a Latin square"
        return "\n".join([*lines, verdict])

    def _solve(
        self, loaded: DecoderLM, puzzles: Int[Tensor, "puzzle cell"]
    ) -> Int[Tensor, "puzzle cell"]:
        if self.config.attention.causal:
            return solve_left_to_right(loaded, puzzles)
        return unmask(loaded, puzzles, Quota(1), OPEN, temperature=0).tokens


def held_out_puzzles(clues: int) -> Int[Tensor, "puzzle cell"]:
    """Return the held-out squares with some of their cells given, always the same.

    Raises:
        ValueError: If the number of given cells is not from 0 to 24.
    """
    if not 0 <= clues < CELLS:
        raise ValueError(f"clues must be from 0 to {CELLS - 1}, got {clues}.")
    _, squares = latin_split()
    counts = torch.full((len(squares),), CELLS - clues)
    return mask_tokens(squares, counts, OPEN, torch.Generator().manual_seed(clues))


def _decoder(length: int, causal: bool) -> DecoderConfig:
    base = DecoderConfig.fast(ORDER + 1, length, 64, 4, convolution_size=0)
    attention = AttentionConfig(4, query_key_norm=True, causal=causal)
    return replace(base, attention=attention)


LATIN_LEFT_TO_RIGHT = LatinRecipe(
    name="latin-left-to-right",
    title="A decoder that reads a Latin square with open cells and writes all of it",
    config=_decoder(2 * CELLS, causal=True),
    optimizer=OptimizerSettings(
        matrix_lr=0.03, embedding_lr=0.01, head_lr=0.01, vector_lr=0.01
    ),
    batch_size=64,
    steps=800,
    warmup_steps=30,
    final_factor=1.0,
    cooldown_steps=480,
)

LATIN_MASKED = replace(
    LATIN_LEFT_TO_RIGHT,
    name="latin-masked",
    title="The same Transformer without the causal mask, trained to fill masked cells",
    config=_decoder(CELLS, causal=False),
    # rows are half as long, so the same training time has twice as many steps
    steps=1600,
    cooldown_steps=960,
)
"""Both of chapter 32's models of Latin squares."""
