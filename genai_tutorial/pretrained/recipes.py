"""Recipes: everything that decides a model of the book, in one place, so that anyone can make it again."""

from dataclasses import asdict, dataclass

from genai_tutorial.training import OptimizerSettings, Schedule
from genai_tutorial.transformer import DecoderConfig


@dataclass(frozen=True)
class Recipe:
    """How one model is made from Shakespeare's plays.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The decoder's settings.
        optimizer: The optimisers' settings.
        batch_size: The number of windows in a batch.
        steps: The number of batches.
        warmup_steps: How many steps the learning rates rise for; from there they fall in a straight line.
        final: The factor that this fall ends at.
        anneal_steps: How many steps at the end the learning rates then take to zero.
        clip_norm: The greatest length of the gradient.
        seed: Decides the first weights and the batches.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: DecoderConfig
    optimizer: OptimizerSettings
    batch_size: int
    steps: int
    warmup_steps: int
    final: float = 0.0
    anneal_steps: int = 0
    clip_norm: float = 1.0
    seed: int = 0
    published: bool = False

    def schedule(self, steps: int | None = None) -> Schedule:
        """Returns the course of the learning rates over the recipe's steps, or over another number of them.

        >>> schedule = recipe("shakespeare-live").schedule(steps=100)
        >>> schedule(99) < 0.02  # however short the run, it ends near zero
        True
        """
        steps = self.steps if steps is None else steps
        return Schedule(
            steps,
            warmup_steps=min(self.warmup_steps, steps // 2),
            decay="linear",
            final=self.final,
            anneal_steps=self.anneal_steps * steps // self.steps,
        )

    def to_dict(self) -> dict:
        """Returns the recipe as JSON can hold it."""
        return asdict(self)


RECIPES = (
    Recipe(
        name="shakespeare-live",
        title="A decoder of 0.8 million weights that learns Shakespeare's characters in about a minute",
        # Two blocks and tables for pairs and triples: the weights of four blocks, at half the time a step.
        config=DecoderConfig(
            vocab_size=64,
            context_length=64,
            width=128,
            layers=2,
            heads=4,
            neighbours=1,
            pair_features=64,
            triple_features=16,
        ),
        optimizer=OptimizerSettings(matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9),
        batch_size=32,
        steps=600,
        warmup_steps=10,
    ),
    Recipe(
        name="shakespeare",
        title="The same in larger: 1.9 million weights, 1,450 steps, half an hour on two busy cores",
        config=DecoderConfig(
            vocab_size=64,
            context_length=128,
            width=160,
            layers=5,
            heads=5,
            neighbours=1,
            pair_features=64,
            triple_features=8,
        ),
        optimizer=OptimizerSettings(matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9),
        batch_size=32,
        steps=1450,
        warmup_steps=50,
        final=27 / 47,
        anneal_steps=400,
        published=True,
    ),
)
"""All recipes of the book."""


def names() -> tuple[str, ...]:
    """Returns the names of all recipes.

    >>> names()
    ('shakespeare-live', 'shakespeare')
    """
    return tuple(one.name for one in RECIPES)


def recipe(name: str) -> Recipe:
    """Returns the recipe of this name.

    Raises:
        ValueError: If there is none.

    >>> recipe("shakspere")
    Traceback (most recent call last):
    ...
    ValueError: There is no recipe 'shakspere'. There are: shakespeare-live, shakespeare.
    """
    for one in RECIPES:
        if one.name == name:
            return one
    raise ValueError(f"There is no recipe {name!r}. There are: {', '.join(names())}.")
