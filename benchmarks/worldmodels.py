"""World models: players that learn in dreams and players that learn without, and what
else can be learned from films of a small world.

`dreamer` learns the paddle world from 25,600 real steps of a sticky random player, then
to play in its dreams, at three temperatures, and plans in them without a policy. It
also measures how long dreams stay true. `model_free` is PPO on the same world, by real
steps. `replay` is double Q-learning on exactly the recorded steps that the world model
of `dreamer` gets, and `replay_few` on those of `exploitation`. `cost` measures the CPU
seconds of all three in one run, because the other parts ran on two machines. Scores are
catches in one complete episode per game, on games that no player has learned from; one
without chance would catch five.

`exploitation` learns from 1,920 real steps only, and measures what dreams promise and
what reality pays: for the plain dreams, with a penalty where an ensemble disagrees, and
after two more rounds of 1,920 steps, played by the learned policy or by the sticky
random player.

`latent_actions` finds the buttons in films without labels. `joint_embedding` predicts
features in place of pixels, with a target that is trained and two that are not; ball
and paddle are then read off the features by linear regression, and, to compare, off the
pixels and off as many principal components of the pixels. `minigrid`,
`minigrid_empty` and `minigrid_fixed` run the same code on three worlds of MiniGrid,
which are not ours.

    # about a quarter of an hour per seed on one core
    OMP_NUM_THREADS=1 python benchmarks/worldmodels.py --seeds 0 1 2
    # a short trial
    python benchmarks/worldmodels.py --seeds 0 --smoke

Finished parts are kept in the folder `runs` and are not repeated.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from code_ensemble import CodeEnsemble, disagreement, penalized, train_ensemble
from joint_embedding import (
    EmbeddingTraining,
    JointEmbedding,
    effective_rank,
    train_joint_embedding,
)
from latent_action_network import LatentActions, train_latent_actions
from replay_learner import GreedyPlayer, ReplayLearner
from torch import Tensor

from genai_tutorial.runtime import MeasuredPart, keep_record, run_parts
from genai_tutorial.tasks.paddle_game import (
    LEFT,
    PADDLE,
    RIGHT,
    SIZE,
    ForesightPlayer,
    PaddleWorld,
    RandomPlayer,
    dream_fidelity,
    read_positions,
    reflex_player,
    score_player,
)
from genai_tutorial.worldmodels import (
    ActorCritic,
    DreamPolicy,
    Imagined,
    ModelPlayer,
    PixelAgent,
    PixelPlayer,
    Player,
    PPOLearner,
    Recording,
    World,
    WorldModel,
    WorldModelConfig,
    WorldModelTraining,
    best_renaming,
    dream_beside_reality,
    dream_starts,
    imagine,
    learn_by_playing,
    learn_in_dreams,
    minigrid_world,
    planning_policy,
    record_games,
    train_world_model,
)

STICKINESS, HORIZON, DREAMS = 0.7, 20, 128
LARGE, LARGE_GAMES = 25_600, 64
SMALL, SMALL_GAMES = 1_920, 16
TEMPERATURES = (0.0, 1.0, 1.5)
REPLAY_UPDATES = 2000
PPO_STEPS = (25_600, 51_200, 102_400, 204_800, 307_200)
WEIGHTS = (0.03, 0.1)
EMBEDDING_TARGETS = ("trained", "stopped", "average")
MINIGRID_STEPS = 12_800
GAMES, PLANNED_GAMES = 512, 32


@dataclass(frozen=True)
class Effort:
    """Steps of training, and games that are scored."""

    large_steps: int = 1000
    small_steps: int = 400
    updates: int = 300
    small_updates: int = 150
    games: int = GAMES
    planned_games: int = PLANNED_GAMES
    minigrid_steps: int = 600
    minigrid_games: int = 64


FULL, SMOKE = Effort(), Effort(4, 4, 2, 2, 4, 2, 4, 2)


def sticky(world: PaddleWorld, steps: int, seed: int) -> Recording:
    """Record real steps of a sticky random player, counted over all games."""
    return record_games(world, RandomPlayer(seed, STICKINESS), steps // world.games)


def learn_world(
    recording: Recording, seed: int, steps: int, config: WorldModelConfig | None = None
) -> tuple[WorldModel, float]:
    """Return a trained world model, and its CPU seconds."""
    started = time.process_time()
    model = WorldModel(config, seed)
    settings = WorldModelTraining(steps)
    train_world_model(model, recording, settings, seed=seed, progress=False)
    return model.eval().requires_grad_(False), time.process_time() - started


def learn_to_play(
    model: WorldModel,
    recording: Recording,
    seed: int,
    updates: int,
    temperature: float = 1.0,
    change: Callable[[Imagined], Imagined] = lambda dreams: dreams,
) -> tuple[ActorCritic, float]:
    """Return an agent that learned in dreams only, and its CPU seconds."""
    started = time.process_time()
    generator = torch.Generator().manual_seed(seed)
    agent = ActorCritic(
        model.config.memory + model.config.units, model.config.actions, seed=seed
    )

    def dreams(policy: DreamPolicy) -> Imagined:
        start = dream_starts(model, recording, DREAMS, generator)
        return change(imagine(model, start, policy, HORIZON, temperature, generator))

    learn_in_dreams(agent, dreams, updates, generator=generator, progress=False)
    return agent, time.process_time() - started


def promised(model: WorldModel, recording: Recording, policy: DreamPolicy) -> Imagined:
    """Return a thousand dreams of a policy from starts of the recording."""
    generator = torch.Generator().manual_seed(77)
    start = dream_starts(model, recording, 1000, generator)
    return imagine(model, start, policy, HORIZON, generator=generator)


def scored(player: Callable, games: int) -> dict:
    """Return the mean catches and the mean return of a player in reality."""
    score = score_player(player, games)
    return {
        "catches": round(score.mean_catches, 3),
        "return": round(score.mean_return, 3),
    }


def judged(
    model: WorldModel, recording: Recording, agent: ActorCritic, games: int
) -> dict:
    """Return what dreams promise a greedy agent, and what reality pays it."""
    promise = promised(model, recording, agent.greedy).total_reward
    return {
        "dream reward": round(promise, 4),
        **scored(ModelPlayer(model, agent.greedy), games),
    }


def counted(recording: Recording) -> dict:
    """Return the number of real steps, catches and misses."""
    return {
        "real steps": recording.steps,
        "caught": int((recording.rewards > 0).sum()),
        "missed": int((recording.rewards < 0).sum()),
    }


def yardsticks(seed: int, small: bool) -> dict:
    """Measure players that do not learn."""
    games = 8 if small else GAMES
    return {
        "games": games,
        "random": scored(RandomPlayer(seed), games),
        "sticky random": scored(RandomPlayer(seed, STICKINESS), games),
        "reflex": scored(reflex_player, games),
        "foresight": scored(ForesightPlayer(), games),
    }


def dreamer(seed: int, small: bool) -> dict:
    """Learn the world from many steps; dream, play and plan in it."""
    effort = SMOKE if small else FULL
    recording = sticky(PaddleWorld(LARGE_GAMES, seed), LARGE, seed)
    model, seconds = learn_world(recording, seed, effort.large_steps)
    measured = {
        **counted(recording),
        "world seconds": round(seconds, 1),
        "fidelity": fidelity(model, seed, 20 if small else 1000),
        "temperatures": {},
    }
    for temperature in TEMPERATURES:
        agent, seconds = learn_to_play(
            model, recording, seed, effort.updates, temperature
        )
        measured["temperatures"][str(temperature)] = {
            "player seconds": round(seconds, 1),
            **judged(model, recording, agent, effort.games),
        }
    generator, started = torch.Generator().manual_seed(seed), time.process_time()
    planner = planning_policy(model, generator=generator)
    measured["planning"] = {
        "games": effort.planned_games,
        **scored(ModelPlayer(model, planner), effort.planned_games),
        "seconds": round(time.process_time() - started, 1),
    }
    return measured


def fidelity(model: WorldModel, seed: int, count: int) -> dict:
    """Compare dreams with reality under the same actions, on games of their own."""
    held_out = sticky(PaddleWorld(LARGE_GAMES, 5000 + seed), 6_400, 5000 + seed)
    steps = 16
    found = dream_fidelity(
        dream_beside_reality(model, held_out, steps, count, seed=seed)
    )
    chance = ~found.predictable
    return {
        "exact": rounded(found.share_exact()),
        "exact where predictable": rounded(found.share_exact(found.predictable)),
        "distance": rounded(found.mean_distance()),
        "distance where predictable": rounded(found.mean_distance(found.predictable)),
        "distance after chance": rounded(found.mean_distance(chance)),
    }


def rounded(numbers: Tensor) -> list[float | None]:
    """Return numbers for a JSON document, which has no NaN."""
    return [None if x != x else round(x, 4) for x in numbers.tolist()]


def model_free(seed: int, small: bool) -> dict:
    """Learn by PPO from real steps."""
    agent = PixelAgent(seed=seed)
    learner = PPOLearner(agent, PaddleWorld(LARGE_GAMES, seed), seed=seed)
    started, done, measured = time.process_time(), 0, {}
    for steps in PPO_STEPS[:1] if small else PPO_STEPS:
        learn_by_playing(learner, steps - done, progress=False)
        done = steps
        measured[str(steps)] = {
            "seconds": round(time.process_time() - started, 1),
            **scored(PixelPlayer(agent), 8 if small else GAMES),
        }
    return {"steps": measured}


def replay(steps: int, games: int, seed: int, small: bool) -> dict:
    """Learn by double Q-learning from the recording that a world model gets."""
    recording = sticky(PaddleWorld(games, seed), steps, seed)
    started = time.process_time()
    learner = ReplayLearner(recording, seed)
    learner.learn(4 if small else REPLAY_UPDATES)
    return {
        **counted(recording),
        "updates": REPLAY_UPDATES,
        "player seconds": round(time.process_time() - started, 1),
        **scored(GreedyPlayer(learner.network), 8 if small else GAMES),
    }


def cost(seed: int, small: bool) -> dict:
    """Measure the CPU seconds of all three learners in one run on one machine."""
    effort = SMOKE if small else FULL
    recording = sticky(PaddleWorld(LARGE_GAMES, seed), LARGE, seed)
    model, world_seconds = learn_world(recording, seed, effort.large_steps)
    _, player_seconds = learn_to_play(model, recording, seed, effort.updates)
    started = time.process_time()
    ReplayLearner(recording, seed).learn(4 if small else REPLAY_UPDATES)
    replay_seconds, started = time.process_time() - started, time.process_time()
    learner = PPOLearner(PixelAgent(seed=seed), PaddleWorld(LARGE_GAMES, seed), seed)
    learn_by_playing(learner, 640 if small else LARGE, progress=False)
    found = {
        "world model": world_seconds,
        "player in dreams": player_seconds,
        "replay": replay_seconds,
        "PPO": time.process_time() - started,
    }
    dreams = (world_seconds + player_seconds) / replay_seconds
    return {
        **{name: round(seconds, 1) for name, seconds in found.items()},
        "dreams / replay": round(dreams, 2),
        "PPO / replay": round(found["PPO"] / replay_seconds, 3),
    }


def exploitation(seed: int, small: bool) -> dict:
    """Learn the world from few steps, let a policy exploit it, and try the cures."""
    effort = SMOKE if small else FULL
    world = PaddleWorld(SMALL_GAMES, seed)
    recording = sticky(world, SMALL, seed)
    model, seconds = learn_world(recording, seed, effort.small_steps)
    agent, _ = learn_to_play(model, recording, seed, effort.small_updates)
    measured = {
        "plain": {
            **counted(recording),
            "world seconds": round(seconds, 1),
            **judged(model, recording, agent, effort.games),
        },
        "ensemble": {},
    }
    ensemble = CodeEnsemble(model.config.memory, seed=seed)
    train_ensemble(
        ensemble, model, recording, effort.small_steps // 2, seed=seed, progress=False
    )

    def apart(policy: DreamPolicy) -> float:
        memories = promised(model, recording, policy).states.memory[1:]
        return round(float(disagreement(ensemble(memories)).detach().mean()), 4)

    measured["plain"]["disagreement"] = apart(agent.greedy)
    for weight in WEIGHTS:
        careful, _ = learn_to_play(
            model,
            recording,
            seed,
            effort.small_updates,
            change=lambda dreams, weight=weight: penalized(dreams, ensemble, weight),
        )
        measured["ensemble"][str(weight)] = {
            **judged(model, recording, careful, effort.games),
            "disagreement": apart(careful.greedy),
        }
    for name in ("own policy", "random"):
        measured[name] = collected(name, (recording, model, agent), seed, effort)
    return measured


def collected(
    name: str,
    start: tuple[Recording, WorldModel, ActorCritic],
    seed: int,
    effort: Effort,
) -> list[dict]:
    """Play, learn the world from all steps so far, and learn to play, in two rounds."""
    (recording, model, agent), rounds = start, []
    for number in (1, 2):
        world = PaddleWorld(SMALL_GAMES, 1000 * number + seed)
        generator = torch.Generator().manual_seed(seed)
        player = RandomPlayer(1000 * number + seed, STICKINESS)
        if name == "own policy":
            player = ModelPlayer(model, agent.sampling(generator, 0.1))
        recording = recording.join(record_games(world, player, SMALL // SMALL_GAMES))
        model, _ = learn_world(recording, seed, effort.small_steps)
        agent, _ = learn_to_play(model, recording, seed, effort.small_updates)
        rounds.append(
            counted(recording) | judged(model, recording, agent, effort.games)
        )
    return rounds


@torch.no_grad()
def episode_returns(world: World, player: Player, longest: int) -> Tensor:
    """Play one episode in each game; return the sums of its rewards.

    Every game counts once, however long its episode is. Averaging over the episodes
    that end within a fixed number of steps would favour short ones.
    """
    frames, first = world.frames, torch.ones(world.games, dtype=torch.bool)
    running, returns = first, torch.zeros(world.games)
    for _ in range(longest):
        step = world.step(player(frames, first))
        returns = returns + running * step.rewards
        running = running & ~step.ended
        if not running.any():
            break
        frames, first = step.frames, step.ended
    return returns


def latent_actions(seed: int, small: bool) -> dict:
    """Find the buttons in films; also where a sticky player makes the next button easy
    to guess from the past.
    """
    steps, common_steps = (8, 4) if small else (900, 200)
    measured = {}
    for name, stickiness in (("random films", 0.0), ("sticky films", STICKINESS)):
        films, held_out = (
            record_games(
                PaddleWorld(LARGE_GAMES, k + seed),
                RandomPlayer(k + seed, stickiness),
                n,
            )
            for k, n in ((0, 400), (5000, 100))
        )
        model, started = LatentActions(seed=seed), time.process_time()
        train_latent_actions(
            model, films, steps, common_steps, seed=seed, progress=False
        )
        seconds = time.process_time() - started
        windows = held_out.windows(held_out.unbroken_starts(2), 2)
        latent, pressed = model.infer(windows.frames), windows.actions[1]
        paddle = read_positions(windows.frames[1]).paddle
        moved = torch.where(pressed == LEFT, paddle > 0, True)
        moved &= torch.where(pressed == RIGHT, paddle < SIZE - PADDLE, True)
        measured[name] = {
            "seconds": round(seconds, 1),
            "steps": len(pressed),
            "agreement": round(best_renaming(latent, pressed).agreement, 4),
            "not against a wall": round(
                best_renaming(latent[moved], pressed[moved]).agreement, 4
            ),
            "most frequent button": round(
                float(pressed.bincount(minlength=3).max()) / len(pressed), 4
            ),
        }
    return measured


def joint_embedding(seed: int, small: bool) -> dict:
    """Predict features in place of pixels, and read ball and paddle off them."""
    recording, held_out = (
        sticky(PaddleWorld(LARGE_GAMES, k + seed), 12_800, k + seed) for k in (0, 5000)
    )
    measured = pixels_probed(recording, held_out)
    measured["untrained"] = probed(
        JointEmbedding(seed=seed).encode, recording, held_out
    )
    for target in EMBEDDING_TARGETS:
        model = JointEmbedding(seed=seed)
        settings = EmbeddingTraining(target, steps=4 if small else 250)
        started = time.process_time()
        history = train_joint_embedding(
            model, recording, settings, seed=seed, progress=False
        )
        measured[target] = {
            "seconds": round(time.process_time() - started, 1),
            "first loss": round(history.losses[0], 6),
            "last loss": round(history.losses[-1], 6),
            **probed(model.encode, recording, held_out),
        }
    return measured


def pixels_probed(recording: Recording, held_out: Recording) -> dict:
    """Probe one raw frame, and as many of its principal components as the embedding has
    numbers.
    """

    def pixels(_: Tensor, now: Tensor) -> Tensor:
        return now.flatten(1)

    frames = recording.windows(recording.unbroken_starts(1), 1).frames[1].flatten(1)
    mean = frames.mean(dim=0)
    width = JointEmbedding(seed=0).encoder[-1].out_features
    axes = torch.linalg.eigh((frames - mean).T @ (frames - mean)).eigenvectors
    axes = axes[:, -width:]  # those of the largest variance
    return {
        "pixels": probed(pixels, recording, held_out),
        "components": probed(
            lambda _, now: (now.flatten(1) - mean) @ axes, recording, held_out
        ),
    }


@torch.no_grad()
def probed(
    encode: Callable[[Tensor, Tensor], Tensor],
    recording: Recording,
    held_out: Recording,
) -> dict:
    """Return the spread and the rank of the features, and how much of the positions'
    variance a linear regression explains on other games (0 for a constant).
    """
    pairs = []
    for played in (recording, held_out):
        before, now = played.windows(played.unbroken_starts(1), 1).frames
        places = read_positions(now)
        truth = torch.stack([places.x, places.y, places.paddle], dim=1).double()
        seen = places.complete
        pairs.append((encode(before, now)[seen].double(), truth[seen]))
    (features, truth), (others, answers) = pairs
    mean, spread = features.mean(dim=0), features.std(dim=0) + 1e-12
    inputs, tests = (
        torch.cat([(x - mean) / spread, torch.ones(len(x), 1).double()], dim=1)
        for x in (features, others)
    )
    ridge = 0.1 * torch.eye(inputs.shape[1]).double()
    weights = torch.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ truth)
    errors = (tests @ weights - answers).square().mean(dim=0)
    explained = 1 - errors / answers.var(dim=0, unbiased=False)
    return {
        "spread": round(float(others.std(dim=0).mean()), 6),
        "rank": round(effective_rank(others), 3),
        "explained": dict(
            zip(("ball x", "ball y", "paddle"), rounded(explained), strict=True)
        ),
    }


def minigrid(name: str, seed: int, small: bool) -> dict:
    """Run the same code on a world that is not ours; scores are mean returns."""
    effort = SMOKE if small else FULL
    world = minigrid_world(name, games=16, seed=seed)
    steps = 320 if small else MINIGRID_STEPS
    random = RandomPlayer(seed, n_actions=world.n_actions)
    recording = record_games(world, random, steps // world.games)
    config = WorldModelConfig(
        tuple(recording.frames.shape[2:]), actions=world.n_actions
    )
    model, world_seconds = learn_world(recording, seed, effort.minigrid_steps, config)
    agent, player_seconds = learn_to_play(model, recording, seed, effort.small_updates)
    pixels = PixelAgent(config.frame, config.actions, seed=seed)
    learner = PPOLearner(pixels, minigrid_world(name, 16, 100 + seed), seed=seed)

    def reality(player: Callable) -> float:
        games = minigrid_world(name, effort.minigrid_games, 9000)
        return round(float(episode_returns(games, player, 144).mean()), 4)

    measured = {
        "name": name,
        "real steps": steps,
        "reached": int((recording.rewards > 0).sum()),
        "hit": int((recording.rewards < 0).sum()),
        "world seconds": round(world_seconds, 1),
        "player seconds": round(player_seconds, 1),
        "games": effort.minigrid_games,
        "random": reality(random),
        "dream reward": round(promised(model, recording, agent.greedy).total_reward, 4),
        "dreamer": reality(ModelPlayer(model, agent.greedy)),
        "model_free": {},
    }
    for factor in (1, 4):
        learn_by_playing(learner, steps if factor == 1 else 3 * steps, progress=False)
        measured["model_free"][str(factor * steps)] = reality(PixelPlayer(pixels))
    return measured


PARTS: dict[str, MeasuredPart] = {
    "yardsticks": yardsticks,
    "model_free": model_free,
    "replay": partial(replay, LARGE, LARGE_GAMES),
    "replay_few": partial(replay, SMALL, SMALL_GAMES),
    "dreamer": dreamer,
    "cost": cost,
    "exploitation": exploitation,
    "latent_actions": latent_actions,
    "joint_embedding": joint_embedding,
    "minigrid": partial(minigrid, "MiniGrid-Dynamic-Obstacles-6x6-v0"),
    "minigrid_empty": partial(minigrid, "MiniGrid-Empty-Random-6x6-v0"),
    "minigrid_fixed": partial(minigrid, "MiniGrid-Empty-5x5-v0"),
}


def main() -> None:
    """Run the parts and keep the record."""
    whole = run_parts("worldmodels", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("worldmodels", whole)


if __name__ == "__main__":
    main()
