"""A world that the book did not make: BabyAI's rooms with two things, and its bot.

    rules      what agents face first: the bot, two untrained rules, and clones of
               2,000 demonstrations, one of them without the words
    more       clones of 5,000 demonstrations, and of as many labels from DAgger
    many       clones of 20,000 demonstrations
    lookup     the nearest of 20,000 demonstrations
    longer     a clone of 2,000 demonstrations, trained as long as on 20,000
    converged  the clones of `more`, trained as long as on 20,000
    one_thing  clones of rooms with one thing, and what 200 rooms with two change
    two_things a clone of these 200 rooms with two alone

    OMP_NUM_THREADS=1 python benchmarks/babyai.py --folder runs --seeds 0 1 2

Each part and seed is one file in the folder and is not repeated.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from genai_tutorial.policies import ActionTokenPolicy
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.babyai import (
    BABYAI_ACTIONS,
    BABYAI_WORDS,
    ONE_THING,
    BabyAIAnswers,
    BabyAIGames,
    babyai_images,
    demonstrate_babyai,
    play_babyai,
)

GAMES = 200
NEW = 100
FEW, MORE, MANY = 2000, 5000, 20_000
STEPS = {FEW: 700, MORE: 1000, MANY: 1500}


def train(
    answers: BabyAIAnswers, steps: int, seed: int, blind: bool = False
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a clone of the answers, which draws its actions."""
    model = ActionTokenPolicy(56, len(BABYAI_WORDS), len(BABYAI_ACTIONS), seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    sight = 0.0 if blind else 1.0
    for _ in range(steps):
        batch = answers[
            torch.randint(len(answers.actions), (128,), generator=generator)
        ]
        logits = model(babyai_images(batch.views), sight * batch.words)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, batch.actions).backward()
        optimizer.step()
        schedule.step()
    return lambda images, words: model.act(images, sight * words, generator)


def measured(policy: Callable | None, small: bool) -> dict[str, float]:
    """Return shares of the test's games, the same for all policies and seeds."""
    games = 10 if small else GAMES
    told = play_babyai(policy, BabyAIGames(games, 900))
    swapped = play_babyai(policy, BabyAIGames(games, 900, told_other=True))
    new = play_babyai(policy, BabyAIGames(5 if small else NEW, 901, held_out=True))
    found = {
        "solved": told.solved,
        "named first": told.named,
        "other first": told.other,
        "swapped, solved": swapped.solved,
        "swapped, named first": swapped.named,
        "both ways": told.named & swapped.named,
        "new things, solved": new.solved,
        "new things, named first": new.named,
    }
    return {name: round(x.double().mean().item(), 4) for name, x in found.items()}


def coordinates(images: Tensor) -> Tensor:
    """Return fewer numbers per image, with the same distances as the pixels have: the
    22 tiles lie in a space of 21 dimensions.
    """
    numbers = torch.arange(22, dtype=torch.uint8)[:, None, None].expand(-1, 7, 7)
    drawn = babyai_images(numbers)[:, :, :8, :8].flatten(1)
    basis = torch.linalg.svd(drawn - drawn[0], full_matrices=False).Vh[:21]
    patches = images.unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 1, 4, 5)
    return ((patches.flatten(3) - drawn[0]) @ basis.T).flatten(1)


def nearest(answers: BabyAIAnswers) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the policy that copies the nearest image with the most similar words."""

    @cache
    def stored(said: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        alike = answers.words @ torch.tensor(said)
        rows = answers[alike == alike.max()]
        parts = [coordinates(babyai_images(part)) for part in rows.views.split(2000)]
        return torch.cat(parts), rows.actions

    def act(images: Tensor, words: Tensor) -> Tensor:
        found = torch.zeros(len(images), dtype=torch.long)
        for said in words.unique(dim=0):
            games = (words == said).all(dim=1)
            seen, actions = stored(tuple(said.tolist()))
            far = torch.cdist(coordinates(images[games]), seen)
            found[games] = actions[far.argmin(dim=1)]
        return found

    return act


def demonstrations(number: int, seed: int, small: bool) -> tuple[BabyAIAnswers, int]:
    """Return demonstrations, and for how many steps to train on them."""
    answers = demonstrate_babyai(number // 100 if small else number, seed)
    return answers, 5 if small else STEPS[number]


def rules(seed: int, small: bool) -> dict:
    generator = torch.Generator().manual_seed(seed)

    def wander(images: Tensor, words: Tensor) -> Tensor:
        return torch.randint(len(BABYAI_ACTIONS), (len(images),), generator=generator)

    answers, steps = demonstrations(FEW, seed, small)
    return {
        "bot": measured(None, small),
        "random": measured(wander, small),
        "nearest of 2,000": measured(nearest(answers), small),
        "blind, 2,000": measured(train(answers, steps, seed, blind=True), small),
        "clone, 2,000": measured(train(answers, steps, seed), small),
        "labels": len(answers.actions),
    }


def paired(seed: int, small: bool) -> tuple[BabyAIAnswers, BabyAIAnswers]:
    """Return 5,000 demonstrations, and as many labels of which DAgger asked some."""
    answers, _ = demonstrations(MORE, seed, small)
    few, few_steps = demonstrations(FEW, seed, small)
    clone = train(few, few_steps, seed)
    wanted = len(answers.actions) - len(few.actions)
    return answers, BabyAIAnswers.join([few, *visited(clone, seed, wanted)])


def more(seed: int, small: bool) -> dict:
    answers, asked = paired(seed, small)
    steps = 5 if small else STEPS[MORE]
    return {
        "clone, 5,000": measured(train(answers, steps, seed), small),
        "DAgger, labels of 5,000": measured(train(asked, steps, seed), small),
        "labels": len(asked.actions),
    }


def converged(seed: int, small: bool) -> dict:
    answers, asked = paired(seed, small)
    steps = 5 if small else STEPS[MANY]
    return {
        "clone, 5,000, 1,500 steps": measured(train(answers, steps, seed), small),
        "DAgger, 1,500 steps": measured(train(asked, steps, seed), small),
    }


def many(seed: int, small: bool) -> dict:
    answers, steps = demonstrations(MANY, seed, small)
    return {
        "clone, 20,000": measured(train(answers, steps, seed), small),
        "labels": len(answers.actions),
    }


def lookup(seed: int, small: bool) -> dict:
    answers, _ = demonstrations(MANY, seed, small)
    return {"nearest of 20,000": measured(nearest(answers), small)}


def longer(seed: int, small: bool) -> dict:
    answers, _ = demonstrations(FEW, seed, small)
    steps = 5 if small else STEPS[MANY]
    return {"clone, 2,000, 1,500 steps": measured(train(answers, steps, seed), small)}


def visited(clone: Callable, seed: int, wanted: int) -> list[BabyAIAnswers]:
    """Return the bot's answers in as many states as wanted that a clone visits."""
    parts, part = [], 0
    while wanted > 0:
        rooms = BabyAIGames(200, 1000 * (seed + 1) + 500 + part)
        answers = play_babyai(clone, rooms, ask=True).answers
        order = torch.randperm(
            len(answers.actions), generator=torch.Generator().manual_seed(part)
        )
        parts.append(answers[order[:wanted]])
        wanted, part = wanted - len(answers.actions), part + 1
    return parts


def one_thing(seed: int, small: bool) -> dict:
    alone = demonstrate_babyai(20 if small else FEW, seed, ONE_THING)
    both = BabyAIAnswers.join([alone, demonstrate_babyai(5 if small else 200, seed)])
    steps = 5 if small else STEPS[MANY]
    return {
        "2,000 with one": measured(train(alone, steps, seed), small),
        "2,000 with one, 200 with two": measured(train(both, steps, seed), small),
    }


def two_things(seed: int, small: bool) -> dict:
    answers = demonstrate_babyai(5 if small else 200, seed)
    steps = 5 if small else STEPS[MANY]
    return {"200 with two": measured(train(answers, steps, seed), small)}


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "rules": rules,
    "more": more,
    "many": many,
    "lookup": lookup,
    "longer": longer,
    "converged": converged,
    "one_thing": one_thing,
    "two_things": two_things,
}


def main() -> None:
    whole = run_parts("babyai", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("babyai", whole)


if __name__ == "__main__":
    main()
