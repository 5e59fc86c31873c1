"""The recipe of the policy that pushes shapes by instruction."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool
from torch import Tensor

from genai_tutorial.policies import InstructedPolicy, InstructedPolicyConfig
from genai_tutorial.tasks.pushing import (
    PUSHING_SOURCE,
    PUSHING_WORDS,
    PushingGames,
    draw_games,
    load_demonstrations,
    play,
)
from genai_tutorial.training import AdamW

from .recipe import Recipe, RunSettings, Trained

MEASURED = 400
"""The number of games of a measurement."""

LOOK_EVERY = 4
"""The number of moves between two looks in the measurement."""


@dataclass(frozen=True, kw_only=True)
class PushPolicyRecipe(Recipe):
    """A recipe for a policy that clones demonstrations of pushing."""

    config: InstructedPolicyConfig
    episodes: int
    learning_rate: float

    network = InstructedPolicy
    source = PUSHING_SOURCE
    metric = "mixture_solved"
    in_words = (
        "{mixture_solved:.1%} of instructions followed by the mixture, "
        "{regression_solved:.1%} by regression, {flow_solved:.1%} by the flow, with a "
        "look every 4 moves"
    )

    def fit(self, run: RunSettings) -> Trained:
        examples = load_demonstrations(self.episodes, self.seed, self.config.chunk)
        model = self.build().to(run.device)
        optimizer = AdamW(
            model.parameters(),
            lr=self.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=0.01,
        )
        return run.fit(
            self,
            model,
            run.batches(self, *vars(examples).values()),
            _loss,
            optimizer,
            generator=torch.Generator().manual_seed(self.seed),
            in_parallel=False,
            losses_every=100,
        )

    def measure(self, model: InstructedPolicy) -> dict:
        games = held_out_games(MEASURED, self.seed)
        return {
            f"{head}_solved": round(
                float(self._solved(model, head, games).double().mean()), 4
            )
            for head in model.heads
        } | {"games": MEASURED, "moves_between_looks": LOOK_EVERY}

    def score(self, loaded: InstructedPolicy, n: int, seed: int) -> list:
        games = held_out_games(n, seed + 1)
        return self._solved(loaded, "mixture", games).tolist()

    def _solved(
        self, model: InstructedPolicy, head: str, games: PushingGames
    ) -> Bool[Tensor, "game"]:
        act = pushing_policy(model, head, self.seed)
        return play(act, games, LOOK_EVERY).solved


def held_out_games(count: int, seed: int) -> PushingGames:
    """Return games that no model of the recipe has learned from."""
    return draw_games(count, torch.Generator().manual_seed(1_000_003 + seed))


def pushing_policy(model: InstructedPolicy, head: str, seed: int):
    """Return a function from games to chunks, for `play`."""
    generator = torch.Generator().manual_seed(seed)
    return partial(_act, model, head, generator)


def _act(
    model: InstructedPolicy, head: str, generator: torch.Generator, games: PushingGames
) -> Tensor:
    device = next(model.parameters()).device
    seen = (games.images(), games.words(), games.gripper)
    chunks = model.act(head, *(part.to(device) for part in seen), generator)
    return chunks.cpu()


def _loss(
    model: InstructedPolicy,
    images: Tensor,
    words: Tensor,
    gripper: Tensor,
    chunks: Tensor,
    generator: torch.Generator,
) -> Tensor:
    return model.loss(images.float() / 255, words, gripper, chunks, generator)


PUSH_POLICY = PushPolicyRecipe(
    name="push-policy",
    title="A policy that pushes shapes by instruction: one trunk, three heads",
    config=InstructedPolicyConfig(len(PUSHING_WORDS), scale=0.72),
    episodes=2000,
    learning_rate=2e-3,
    batch_size=64,
    steps=4000,
    warmup_steps=100,
)
"""The policy of chapter 34."""
