"""Policies that imitate: several correct actions, errors that add up, instructions.

    sides    crashes into one obstacle, by the share of demonstrations on its left
    settings the same with other numbers of components and more training of the flow
    course   DAgger, more demonstrations, noisy ones and random states, where one move
             is correct
    delay    answers that come some moves late, where both sides are correct
    pushing  a policy that sees and reads: three heads, and the swapped instruction
    copies   the nearest demonstration by image, and by what a trained trunk makes of it

    OMP_NUM_THREADS=1 python benchmarks/acting.py --folder runs

Each part and seed is one file in the folder and is not repeated.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.policies import (
    FlowHead,
    InstructedPolicy,
    MixtureHead,
    RegressionHead,
    make_chunks,
)
from genai_tutorial.recipes import PUSH_POLICY, pushing_policy
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.detour import (
    correct_moves,
    crashes,
    demonstrate_course,
    draw_paths,
    run_course,
)
from genai_tutorial.tasks.pushing import (
    PushingGames,
    draw_games,
    load_demonstrations,
    play,
    pushing_moves,
)

SHARES = (0.9, 0.7, 0.5)
STARTS = 500


def train(
    model: nn.Module,
    loss: Callable[[Tensor], Tensor],
    count: int,
    steps: int,
    seed: int,
) -> None:
    """Train with AdamW on random batches; `loss` gets the numbers of the examples."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        chosen = torch.randint(count, (256,), generator=generator)
        optimizer.zero_grad()
        loss(chosen).backward()
        optimizer.step()
        schedule.step()


def share(found: Tensor) -> float:
    return round(found.double().mean().item(), 4)


# --- one obstacle ---


def sides(seed: int, small: bool) -> dict:
    steps = 20 if small else 1000
    found: dict[str, Any] = {}
    for left in SHARES[-1:] if small else SHARES:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        paths, starts = draw_paths(2000, left, generator)
        _, asked = draw_paths(STARTS, left, generator)
        flat = paths.flatten(1)
        heads = {
            "regression": (RegressionHead(1, 32), steps),
            "mixture": (MixtureHead(1, 32, 2), steps),
            "flow": (FlowHead(1, 32), 2 * steps),
        }
        rows = {}
        for name, (head, length) in heads.items():
            train(
                head,
                lambda rows, h=head, s=starts, x=flat, g=generator: h.loss(
                    s[rows], x[rows], g
                ),
                2000,
                length,
                seed,
            )
            rows[name] = crash_share(head, asked, generator)
        heads["flow"][0].steps = 1
        rows["flow, 1 step"] = crash_share(heads["flow"][0], asked, generator)
        nearest = (asked - starts.T).abs().argmin(dim=1)
        rows["nearest demonstration"] = share(crashes(paths[nearest]))
        if left == 0.5:
            rows |= tokens(flat, starts, asked, steps, seed)
        found[str(left)] = rows
    return found


def settings(seed: int, small: bool) -> dict:
    """Vary what `sides` keeps fixed: the mixture's components and the flow's steps."""
    steps = 20 if small else 1000
    found: dict[str, Any] = {}
    for left in SHARES[-1:] if small else SHARES:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        paths, starts = draw_paths(2000, left, generator)
        _, asked = draw_paths(STARTS, left, generator)
        flat = paths.flatten(1)
        heads = {
            "mixture of 1": (MixtureHead(1, 32, 1), steps),
            "mixture of 5": (MixtureHead(1, 32, 5), steps),
            "flow, 9,000 steps": (FlowHead(1, 32), 9 * steps),
        }
        rows = {}
        for name, (head, length) in heads.items():
            train(
                head,
                lambda rows, h=head, s=starts, x=flat, g=generator: h.loss(
                    s[rows], x[rows], g
                ),
                2000,
                length,
                seed,
            )
            rows[name] = crash_share(head, asked, generator)
        found[str(left)] = rows
    return found


def crash_share(head: Any, starts: Tensor, generator: torch.Generator) -> float:
    return share(crashes(head.sample(starts, generator).view(-1, 16, 2)))


BINS = 32


def tokens(flat: Tensor, starts: Tensor, asked: Tensor, steps: int, seed: int) -> dict:
    """Measure paths of 32 numbers as tokens, drawn independently or one after
    another.
    """
    generator = torch.Generator().manual_seed(seed)
    low, high = flat.min(0).values, flat.max(0).values
    width = (high - low + 1e-6) / BINS
    token = ((flat - low) / width).long().clamp(0, BINS - 1)
    centre = low + (token + 0.5) * width
    eye = torch.eye(32)

    def network(inputs: int, outputs: int) -> nn.Sequential:
        layers = [nn.Linear(inputs, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU()]
        return nn.Sequential(*layers, nn.Linear(128, outputs))

    once, one_by_one = network(1, 32 * BINS), network(65, BINS)

    def loss_once(rows: Tensor) -> Tensor:
        logits = once(starts[rows]).view(-1, BINS)
        return functional.cross_entropy(logits, token[rows].flatten())

    def loss_one_by_one(rows: Tensor) -> Tensor:
        number = torch.randint(32, (len(rows),), generator=generator)
        before = centre[rows] * (torch.arange(32) < number[:, None])
        logits = one_by_one(torch.cat([starts[rows], before, eye[number]], dim=1))
        return functional.cross_entropy(logits, token[rows, number])

    train(once, loss_once, len(flat), steps, seed)
    train(one_by_one, loss_one_by_one, len(flat), 2 * steps, seed)

    def draw(logits: Tensor) -> Tensor:
        return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]

    with torch.no_grad():
        together = draw(once(asked).view(-1, BINS)).view(-1, 32)
        path = torch.zeros(len(asked), 32)
        for number in range(32):
            place = eye[number].expand(len(asked), -1)
            drawn = draw(one_by_one(torch.cat([asked, path, place], dim=1)))
            path[:, number] = low[number] + (drawn + 0.5) * width[number]
    return {
        "tokens, independent": share(
            crashes((low + (together + 0.5) * width).view(-1, 16, 2))
        ),
        "tokens, one by one": share(crashes(path.view(-1, 16, 2))),
    }


# --- errors that add up ---


def clone(states: Tensor, moves: Tensor, steps: int, seed: int) -> RegressionHead:
    """Return a regression from states to moves in tenths."""
    torch.manual_seed(seed)
    head, generator = RegressionHead(3, 2), torch.Generator()
    train(
        head,
        lambda rows: head.loss(states[rows], 10 * moves[rows], generator),
        len(states),
        steps,
        seed,
    )
    return head


def arrived(head: RegressionHead, runs: int, seed: int) -> tuple[float, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    result = run_course(lambda states: head.network(states) / 10, runs, generator)
    return share(result.arrived), result.states


BOX = torch.tensor([1.0, 1.15, 0.15])
"""Random states are drawn from -BOX to BOX."""


def touch_share(states: Tensor) -> float:
    """Return in what share of runs, with three numbers per state, the way touches the
    obstacle.
    """
    place, obstacle = states[:, :, :2], states[:, :, 2:]
    return share(crashes(place - functional.pad(obstacle, (0, 1))))


def course(seed: int, small: bool) -> dict:
    steps, few = (20, 2) if small else (800, 10)
    generator = torch.Generator().manual_seed(seed)
    states, moves = demonstrate_course(few, generator)
    head = clone(states, moves, steps, seed)
    rows: dict[str, Any] = {f"{few} demonstrations": arrived(head, 400, 77)[0]}
    touched = {}
    for number in range(3):
        _, visited = arrived(head, 3 * few, 1000 * seed + 100 + number)
        touched[f"DAgger, round {number + 1}"] = touch_share(visited)
        visited = visited.flatten(0, 1)
        order = torch.randperm(len(visited), generator=generator)[: 34 * few]
        states = torch.cat([states, visited[order]])
        moves = torch.cat([moves, correct_moves(visited[order])])
        head = clone(states, moves, steps, seed)
        rows[f"DAgger, round {number + 1}"] = arrived(head, 400, 77)[0]
    gusts = torch.Generator().manual_seed(1000 * seed + 200)
    windy = run_course(correct_moves, 3 * few, gusts).states.flatten(0, 1)
    first, first_moves = demonstrate_course(few, torch.Generator().manual_seed(seed))
    for times in (2, 4):
        order = torch.randperm(len(windy), generator=gusts)
        seen = windy[order[: 34 * few * (times - 1)]]
        head = clone(
            torch.cat([first, seen]),
            torch.cat([first_moves, correct_moves(seen)]),
            steps,
            seed,
        )
        rows[f"demonstrations with gusts, {times} times"] = arrived(head, 400, 77)[0]
    for noise in (0.0, 0.06, 0.03, 0.12, 0.24):
        name = f"DART of {noise}" if noise else "more demonstrations"
        for times in (2, 4):
            row = f"{name}, {times} times"
            examples = demonstrate_course(times * few, generator, noise)
            seen = examples[0].unflatten(0, (34, times * few))
            touched[row] = touch_share(seen.transpose(0, 1))
            rows[row] = arrived(clone(*examples, steps, seed), 400, 77)[0]
    for times in (2, 4):
        count = 34 * few * times
        seen = BOX * (2 * torch.rand(count, 3, generator=generator) - 1)
        head = clone(seen, correct_moves(seen), steps, seed)
        rows[f"random states, {times} times"] = arrived(head, 400, 77)[0]
    rows["touched"] = touched
    rows["demonstrator"] = share(
        run_course(correct_moves, 400, torch.Generator().manual_seed(77)).arrived
    )
    return rows


# --- answers that come late ---

CHUNK = 8
LOOK = 4
DELAYS = (0, 1, 2, 4)


def two_sided(runs: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return states, and the chunk of moves that follows each. Near the middle, a run
    passes on a side that is drawn for it.
    """
    states = demonstrate_course(runs, generator)[0][:runs]
    offset = states[:, 0] - states[:, 2]
    drawn = torch.where(torch.rand(runs, generator=generator) < 0.5, -1.0, 1.0)
    side = torch.where(offset.abs() < 0.12, drawn, offset.sign())
    seen, moves = [], []
    for _ in range(34):
        move = correct_moves(states, side)
        seen.append(states)
        moves.append(move)
        states = torch.cat([states[:, :2] + move, states[:, 2:]], dim=1)
    followed = torch.stack(moves, dim=1)
    chunks = torch.stack([make_chunks(run, CHUNK)[0] for run in followed])
    return torch.stack(seen, dim=1).flatten(0, 1), chunks.flatten(0, 1)


def with_prefix(states: Tensor, first: Tensor) -> Tensor:
    """Return states with the moves in flight, at most 4, and a mask of them."""
    padded = torch.zeros(len(states), LOOK, 2)
    padded[:, : first.shape[1]] = first
    mask = (torch.arange(LOOK) < first.shape[1]).float().expand(len(states), -1)
    return torch.cat([states, padded.flatten(1), mask], dim=1)


class Late:
    """A policy for `run_course` that looks every 4 moves and answers `delay` late."""

    def __init__(self, head: Any, way: str, delay: int, seed: int):
        self.head, self.way, self.delay = head, way, delay
        self.generator = torch.Generator().manual_seed(seed)
        self.states: list[Tensor] = []
        self.moves: list[Tensor] = []
        self.queue: list[Tensor] = []

    def __call__(self, states: Tensor) -> Tensor:
        self.states.append(states)
        if not self.queue:
            self.queue = self._answer()
        self.moves.append(self.queue.pop(0))
        return self.moves[-1]

    def _answer(self) -> list[Tensor]:
        now = self.states[-1]
        if len(self.states) == 1 or not self.delay:
            return self._ask(now, self._prefix(now, []))[:LOOK]
        if self.way == "hold still":
            still = [torch.zeros(len(now), 2)] * self.delay
            return still + self._ask(now, now)[:LOOK]
        old, flown = self.states[-1 - self.delay], self.moves[-self.delay :]
        if self.way == "predict the position":
            there = torch.cat([old[:, :2] + sum(flown), old[:, 2:]], dim=1)
            return self._ask(there, there)[:LOOK]
        if self.way == "inpaint":
            first = 10 * torch.cat(flown, dim=1)
            chunk = self.head.complete(old, first, self.generator)
        else:
            chunk = self.head.sample(self._prefix(old, flown), self.generator)
        rest = chunk.unflatten(1, (CHUNK, 2)).unbind(1)[self.delay :]
        return [move / 10 for move in rest[:LOOK]]

    def _prefix(self, states: Tensor, flown: list[Tensor]) -> Tensor:
        if self.way != "trained with the moves in flight":
            return states
        first = torch.stack(flown, 1) if flown else torch.zeros(len(states), 0, 2)
        return with_prefix(states, 10 * first)

    def _ask(self, states: Tensor, context: Tensor) -> list[Tensor]:
        chunk = self.head.sample(context, self.generator).unflatten(1, (CHUNK, 2))
        return [move / 10 for move in chunk.unbind(1)]


def late_scores(policy: Late, runs: int) -> dict:
    """Return the share of runs that reach the goal without touching the obstacle, the
    mean number of moves that they need, and how often a run before the obstacle turns
    from one side to the other.
    """
    generator = torch.Generator().manual_seed(77)
    states = run_course(policy, runs, generator, gust=0.0, moves=80).states
    place, obstacle = states[:, :, :2], states[:, :1, 2:]
    near = (place - torch.tensor([0.0, 1.0])).norm(dim=2) < 0.15
    when = torch.where(near.any(1), near.int().argmax(1), 79)
    kept = torch.minimum(torch.arange(80), when[:, None])
    way = place.gather(1, kept[:, :, None].expand(-1, -1, 2))
    crashed = crashes(way - torch.cat([obstacle, torch.zeros_like(obstacle)], dim=2))
    good = near.any(1) & ~crashed
    across = torch.stack(policy.moves, dim=1)[:, :, 0]
    large = across.abs() > 0.03
    turned = (across[:, 1:] * across[:, :-1] < 0) & large[:, 1:] & large[:, :-1]
    turned &= place[:, 1:, 1] < -0.1
    return {
        "arrived": share(good),
        "moves": round(when[good].double().mean().item(), 1) if good.any() else None,
        "turns": round(turned.double().sum(1).mean().item(), 3),
    }


def delay(seed: int, small: bool) -> dict:
    generator = torch.Generator().manual_seed(seed)
    states, chunks = two_sided(5 if small else 200, generator)
    flat = 10 * chunks.flatten(1)
    found: dict[str, Any] = {}
    kinds = {"flow": FlowHead, "regression": RegressionHead, "mixture": MixtureHead}
    for name, kind in kinds.items():
        steps = 20 if small else 4000 if name == "flow" else 1500
        torch.manual_seed(seed)
        plain, prefixed = kind(3, 2 * CHUNK), kind(3 + 3 * LOOK, 2 * CHUNK)
        train(
            plain,
            lambda r, h=plain: h.loss(states[r], flat[r], generator),
            len(states),
            steps,
            seed,
        )

        def loss_with_prefix(rows: Tensor, head: Any = prefixed) -> Tensor:
            count = torch.randint(LOOK + 1, (len(rows), 1), generator=generator)
            mask = (torch.arange(LOOK) < count).float()
            first = 10 * chunks[rows, :LOOK] * mask[:, :, None]
            context = torch.cat([states[rows], first.flatten(1), mask], dim=1)
            return head.loss(context, flat[rows], generator)

        train(prefixed, loss_with_prefix, len(states), steps, seed)
        ways = {
            "switch": plain,
            "hold still": plain,
            "predict the position": plain,
            "trained with the moves in flight": prefixed,
        }
        if name == "flow":
            ways["inpaint"] = plain
        found[name] = {
            way: {
                str(late): late_scores(Late(head, way, late, seed), 400)
                for late in DELAYS[: 2 if small else None]
            }
            for way, head in ways.items()
        }
    return found


# --- see, read, act ---

EVERY = (16, 8, 4, 1)


def pushing(seed: int, small: bool) -> dict:
    found: dict[str, Any] = {}
    for name, gives_away in (("between", False), ("given away", True)):
        model = train_pushing(seed, 10 if small else 1200, gives_away)
        generator = torch.Generator().manual_seed(1_000_003 + seed)
        count = 20 if small else 200
        games = draw_games(count, generator, gives_away=gives_away)
        found[name] = {
            head: measured(pushing_policy(model, head, seed), games)
            for head in model.heads
        }
        if gives_away:
            found[name]["wrong shape"] = {
                head: wrong_shape(pushing_policy(model, head, seed), games)
                for head in model.heads
            }
        else:
            found[name] |= {
                "nearest demonstration": measured(
                    nearest(seed, 50 if small else 900), games, EVERY[1:3]
                ),
                "program, asked again": measured(program(seed), games),
            }
    return found


def train_pushing(seed: int, steps: int, gives_away: bool) -> InstructedPolicy:
    """Train a policy, shorter than the recipe's."""
    examples = load_demonstrations(max(20, steps), seed, gives_away=gives_away)
    model = InstructedPolicy(PUSH_POLICY.config, seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(examples.images), (64,), generator=generator)
        images, *rest = (part[rows] for part in vars(examples).values())
        optimizer.zero_grad()
        model.loss(images.float() / 255, *rest, generator).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


def measured(policy: Callable, games: PushingGames, every: tuple = EVERY) -> dict:
    """Return what share of instructions is followed, what share of shapes is pushed
    the wrong way, and both for the swapped instruction.
    """
    rows = {}
    for k in every:
        own, other = (play(policy, g, k) for g in (games, games.told_other()))
        rows[str(k)] = {
            "solved": share(own.solved),
            "wrong way": share(own.wrong_way),
            "swapped": share(other.solved),
        }
    return rows


def wrong_shape(policy: Callable, games: PushingGames) -> float:
    """Return how often a policy with the swapped instruction, which looks every 4
    moves, does what the instruction was before: it pushes the other shape.
    """
    last = play(policy, games.told_other(), 4).history[-1]
    return share(last.told_other().solved(games))


def nearest(seed: int, episodes: int) -> Callable:
    """Return the policy that copies the most similar frame with the same words."""
    examples = load_demonstrations(episodes, seed)
    images = examples.images.float().flatten(1) / 255

    def act(games: PushingGames) -> Tensor:
        far = torch.cdist(games.images().flatten(1), images).square() / 30
        far += torch.cdist(games.gripper, examples.gripper).square() / 64
        far += 1000 * (3 - games.words() @ examples.words.T)
        return examples.chunks[far.argmin(dim=1)]

    return act


@torch.no_grad()
def nearest_context(seed: int, episodes: int, model: InstructedPolicy) -> Callable:
    """Return the policy that copies the frame whose context, which is the output of the
    model's trunk, is most similar.
    """
    examples = load_demonstrations(episodes, seed)
    images = examples.images.float() / 255
    frames = (x.split(500) for x in (images, examples.words, examples.gripper))
    contexts = torch.cat([model.context(*x) for x in zip(*frames, strict=True)])

    @torch.no_grad()
    def act(games: PushingGames) -> Tensor:
        context = model.context(games.images(), games.words(), games.gripper)
        return examples.chunks[torch.cdist(context, contexts).argmin(dim=1)]

    return act


def copies(seed: int, small: bool) -> dict:
    """Copy demonstrations, as many as the policies of `pushing` learn from."""
    steps, count, episodes = (10, 20, 50) if small else (1200, 200, 1200)
    model = train_pushing(seed, steps, gives_away=False)
    generator = torch.Generator().manual_seed(1_000_003 + seed)
    games = draw_games(count, generator)
    by_context = nearest_context(seed, episodes, model)
    return {
        "nearest of 1,200": measured(nearest(seed, episodes), games, EVERY[1:3]),
        "nearest context": measured(by_context, games),
    }


def program(seed: int) -> Callable:
    generator = torch.Generator().manual_seed(seed)
    return lambda games: pushing_moves(games, generator)[0][:, :16]


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "sides": sides,
    "settings": settings,
    "course": course,
    "delay": delay,
    "pushing": pushing,
    "copies": copies,
}


def main() -> None:
    whole = run_parts("acting", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("acting", whole)


if __name__ == "__main__":
    main()
