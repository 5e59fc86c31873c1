"""The policy of agents.py that chooses its first tool by the calibrated name."""

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.agents import (
    Conversation,
    ModelPolicy,
    Reply,
    Toolbox,
    calibrate,
    call_pattern,
    free_grammar,
    tool_scores,
)


class CalibratedPolicy:
    """A policy that chooses its first tool by the likelihood of its name, calibrated
    with `reference` (zeros for the likelihood as it is), then writes a constrained call
    of that tool; later messages are only constrained.

    Raises:
        ValueError: If the policy has no masks.
    """

    def __init__(
        self,
        policy: ModelPolicy,
        toolbox: Toolbox,
        reference: Float[Tensor, "reference tool"],
    ) -> None:
        if policy.mask is None:
            raise ValueError(
                "A constrained policy needs masks: "
                "mask=TokenMask.from_tokenizer(tokenizer, end)."
            )
        self.policy, self.toolbox, self.reference = policy, toolbox, reference

    def choose(self, conversations: Sequence[Conversation]) -> list[str]:
        """Return the name of the best tool for each conversation."""
        names = self.toolbox.names
        scores = calibrate(
            tool_scores(self.policy, conversations, names), self.reference
        )
        return [names[place] for place in scores.argmax(dim=1).tolist()]

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        """Return the next message of each conversation."""
        new = [one for one in conversations if len(one) == 1]
        chosen = dict(
            zip([one[0].content for one in new], self.choose(new), strict=True)
            if new
            else ()
        )
        later = free_grammar(call_pattern(self.toolbox.schemas))

        def grammar(conversation: Conversation) -> str:
            if len(conversation) > 1:
                return later(conversation)
            name = chosen[conversation[0].content]
            return call_pattern(self.toolbox.only([name]).schemas)

        return replace(self.policy, grammar=grammar).replies(conversations)
