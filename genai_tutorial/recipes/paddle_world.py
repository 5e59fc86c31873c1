"""The recipe of the world model of ball and paddle, and of the player that learned in
its dreams.
"""

import time
from dataclasses import dataclass, replace

import torch

from genai_tutorial.tasks import own_source
from genai_tutorial.tasks.paddle_game import (
    PaddleWorld,
    RandomPlayer,
    dream_fidelity,
    score_player,
)
from genai_tutorial.worldmodels import (
    RATES,
    Dreamer,
    DreamPolicy,
    Imagined,
    ModelPlayer,
    Recording,
    WorldModelConfig,
    WorldModelTraining,
    dream_beside_reality,
    dream_starts,
    imagine,
    learn_in_dreams,
    record_games,
    train_world_model,
)

from .recipe import FilmSamples, Recipe, RunSettings, Trained

SOURCE = own_source(
    "Ball and paddle",
    "PaddleWorld",
    "as many games of a ball and a paddle on 16×16 pixels as wanted",
    "plays",
)

HORIZON = 20
"""The number of steps of the dreams that the player learns in."""

DREAMS = 128
"""The number of dreams per update of the player."""

MEASURED = 1000
"""The number of episodes that the player is scored on, and of dreams that are compared
with reality.
"""

MEASURED_STEPS = (1, 2, 4, 8, 16)
"""The numbers of steps after which dreams are compared with reality."""


@dataclass(frozen=True, kw_only=True)
class DreamOptions:
    """The options of a film of dreams."""

    frames: int = 48
    temperature: float | int

    def __post_init__(self):
        if self.frames < 1:
            raise ValueError(f"frames must be at least 1, got {self.frames}.")
        if not self.temperature >= 0:
            raise ValueError(f"temperature must be at least 0, got {self.temperature}.")


@dataclass(frozen=True, kw_only=True)
class PaddleWorldRecipe(Recipe):
    """A recipe with several rounds: play, train the world model on all steps so far,
    train the player in its dreams.
    """

    config: WorldModelConfig
    rounds: int
    games: int
    game_steps: int
    updates: int
    stickiness: float = 0.7
    random_share: float = 0.1
    length: int = 16
    temperature: float = 0.5

    network = Dreamer
    source = SOURCE
    makes = "films"
    metric = "episodes_without_a_miss"
    in_words = (
        "{episodes_without_a_miss:.1%} of episodes without a miss; after 8 steps "
        "{exact_after_8:.1%} of dreams without a bounce at the top equal "
        "reality in every pixel"
    )

    def summary(self, metrics: dict) -> str:
        after = metrics["exact_where_predictable"]["8"]
        return super().summary(metrics | {"exact_after_8": after})

    @property
    def options(self) -> DreamOptions:
        return DreamOptions(temperature=self.temperature)

    def fit(self, run: RunSettings) -> Trained:
        started = time.perf_counter()
        model = self.build().to(run.device)
        world = PaddleWorld(self.games, self.seed)
        generator = torch.Generator().manual_seed(self.seed)
        recording, notes = None, []
        for number in range(self.rounds):
            player = RandomPlayer(self.seed, self.stickiness)
            if number > 0:
                policy = model.agent.sampling(generator, self.random_share)
                player = ModelPlayer(model.world, policy)
            collected = record_games(world, player, self.game_steps)
            recording = collected if recording is None else recording.join(collected)
            # the rounds share the steps of the run
            first, last = (run.steps * n // self.rounds for n in (number, number + 1))
            history = train_world_model(
                model.world,
                recording,
                WorldModelTraining(
                    max(1, last - first),
                    self.batch_size,
                    self.length,
                    self.warmup_steps,
                    self.final_factor,
                    optimizer=self.optimizer,
                ),
                seed=self.seed + number,
                checkpoint=replace(
                    run.checkpoint,
                    path=run.checkpoint.path.with_suffix(f".{number}.safetensors"),
                ),
                progress=run.progress,
            )
            rewards = self._learn_to_play(model, recording, generator, run.progress)
            notes.append(
                {
                    "real_steps": recording.steps,
                    "loss": round(_end(history.losses), 4),
                    "dream_reward": round(_end(rewards), 4),
                }
            )
        return Trained(
            model, time.perf_counter() - started, {"rounds_of_training": notes}
        )

    def _learn_to_play(
        self,
        model: Dreamer,
        recording: Recording,
        generator: torch.Generator,
        progress: bool,
    ) -> list[float]:
        """Train the player in dreams that begin where real games were; return its
        mean dream rewards.
        """

        def dreams(policy: DreamPolicy) -> Imagined:
            start = dream_starts(model.world, recording, DREAMS, generator)
            return imagine(
                model.world, start, policy, HORIZON, self.temperature, generator
            )

        return learn_in_dreams(
            model.agent, dreams, self.updates, generator=generator, progress=progress
        )

    def measure(self, model: Dreamer) -> dict:
        score = score_player(model.player(), MEASURED)
        unmissed = float((score.misses == 0).double().mean())
        fidelity = dream_fidelity(
            dream_beside_reality(
                model.world,
                self.held_out(),
                MEASURED_STEPS[-1],
                MEASURED,
                temperature=self.temperature,
                seed=self.seed,
            )
        )
        by_step = {
            "exact": fidelity.share_exact(),
            "exact_where_predictable": fidelity.share_exact(fidelity.predictable),
            "ball_distance": fidelity.mean_distance(),
        }
        return {
            "catches_per_episode": round(score.mean_catches, 4),
            "return_per_episode": round(score.mean_return, 4),
            "episodes_without_a_miss": round(unmissed, 4),
            "episodes_and_dreams": MEASURED,
            "temperature": self.temperature,
        } | {
            name: {str(n): round(float(values[n - 1]), 4) for n in MEASURED_STEPS}
            for name, values in by_step.items()
        }

    def held_out(self) -> Recording:
        """Return a recording of games that no model of this recipe has learned from."""
        player = RandomPlayer(self.seed + 1, self.stickiness)
        return record_games(PaddleWorld(128, self.seed + 1_000_003), player, 200)

    def score(self, loaded: Dreamer, n: int, seed: int) -> list:
        misses = score_player(loaded.player(), n, seed).misses
        return (misses == 0).tolist()

    def sample(
        self, loaded: Dreamer, options: DreamOptions, count: int, seed: int
    ) -> FilmSamples:
        generator = torch.Generator().manual_seed(seed)
        start = dream_starts(loaded.world, self.held_out(), count, generator)
        dreams = imagine(
            loaded.world,
            start,
            loaded.agent.greedy,
            options.frames,
            options.temperature,
            generator,
        )
        frames = torch.stack(
            [loaded.world.decode(codes) for codes in dreams.states.codes[:-1]], dim=1
        )
        return FilmSamples(frames[:, :, None].expand(-1, -1, 3, -1, -1))


def _end(values: list[float]) -> float:
    """Return the mean of the last fifty values."""
    return sum(values[-50:]) / len(values[-50:])


PADDLE_WORLD = PaddleWorldRecipe(
    name="paddle-world",
    title=(
        "A world model of a ball and a paddle, and a player that learned in its dreams"
    ),
    config=WorldModelConfig(),
    rounds=3,
    games=64,
    game_steps=400,
    updates=300,
    optimizer=RATES,
    batch_size=48,
    steps=5_400,
    warmup_steps=20,
)
"""The model of chapter 27."""
