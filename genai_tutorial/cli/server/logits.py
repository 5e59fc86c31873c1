"""What changes the logits of an answer before each draw: penalties for what it has
already, and a JSON schema.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.generation import ConstrainedText, mask_row, repetition_penalty


@dataclass(frozen=True)
class AnswerLogits:
    """Applies penalties and then a constraint, given the answer's tokens so far.

    >>> logits = AnswerLogits(frequency=0.5, presence=1.0)
    >>> logits(torch.tensor([3.0, 3.0, 3.0]), [1, 2, 2])
    tensor([3.0000, 1.5000, 1.0000])
    """

    frequency: float = 0.0
    presence: float = 0.0
    repetition: float = 1.0
    constraint: ConstrainedText | None = None
    limit: int = 0

    def __call__(
        self, logits: Float[Tensor, "vocab"], drawn: Sequence[int]
    ) -> Float[Tensor, "vocab"]:
        if drawn:
            tokens, counts = torch.tensor(drawn).unique(return_counts=True)
            logits = repetition_penalty(logits[None], tokens[None], self.repetition)[0]
            logits[tokens] -= self.presence + self.frequency * counts
        if self.constraint is None:
            return logits
        return mask_row(logits, self.constraint, drawn, self.limit - len(drawn))
