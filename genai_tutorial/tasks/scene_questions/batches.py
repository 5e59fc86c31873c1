"""Endless batches of new pictures with conversations about them."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.tasks.shapes import random_scenes, render

from .conversations import MIXTURE, draw_questions, pack_conversations
from .questions import Kind

Conversations = tuple[
    Float[Tensor, "batch 3 height width"],
    Int[Tensor, "batch token"],
    Bool[Tensor, "batch token"],
    Int[Tensor, "batch token"],
]
"""Pictures, and the ids, loss mask and question numbers of their conversations."""


class ConversationBatches:
    """Endless batches of new pictures, each with several questions and their answers.

    Args:
        batch_size: The number of pictures in a batch, over all processes.
        seed: Seed of scenes and questions.
        kinds: The number of kinds of questions that are tried on each picture.
        mixture: The relative frequency of each kind.
        rank: The number of this process, from 0.
        world_size: The number of processes that share each batch.

    Raises:
        ValueError: If the batch cannot be split evenly.
    """

    def __init__(
        self,
        batch_size: int,
        seed: int,
        kinds: int,
        mixture: Mapping[Kind, float] = MIXTURE,
        *,
        rank: int = 0,
        world_size: int = 1,
    ):
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(
                "batch_size must be a multiple of the number of processes, "
                f"{world_size}; got {batch_size}."
            )
        self.batch_size, self.kinds, self.mixture = batch_size, kinds, mixture
        self.rank, self.world_size = rank, world_size
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "ConversationBatches":
        return self

    def __next__(self) -> Conversations:
        """Return the next batch."""
        scenes = random_scenes(self.batch_size, self._generator)
        questions = [
            draw_questions(scene, self.kinds, self._generator, self.mixture)
            for scene in scenes
        ]
        mine = slice(self.rank, None, self.world_size)
        return render(scenes[mine]), *pack_conversations(questions[mine])

    def state_dict(self) -> dict:
        """Return the state that determines all further batches."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called."""
        self._generator.set_state(state["generator"])
