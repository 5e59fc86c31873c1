"""Choosing a tool by the likelihood of its whole name, and calibration, because a model
may prefer some names whatever the question is.
"""

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.agents.calls import call_pattern
from genai_tutorial.agents.policy import Conversation, ModelPolicy, Reply, free_grammar
from genai_tutorial.agents.tools import Toolbox
from genai_tutorial.generation import option_log_likelihoods


def tool_scores(
    policy: ModelPolicy, conversations: Sequence[Conversation], names: Sequence[str]
) -> Float[Tensor, "conversation tool"]:
    """Return the log-likelihood of each tool's name as the beginning of the next call,
    in nats.

    Args:
        policy: The model with its context.
        conversations: The conversations.
        names: The names of the tools.

    Raises:
        ValueError: If there is no conversation or no name.
    """
    begun = policy.tokenizer.encode('{"name":"', special_as_text=True)
    prompts = [[*policy.encode(one), *begun] for one in conversations]
    # the quotation mark ends a name, or "count" would be part of "count_lines"
    options = [
        policy.tokenizer.encode(f'{name}"', special_as_text=True) for name in names
    ]
    return option_log_likelihoods(policy.model, prompts, options, policy.batch_size)


def calibrate(
    scores: Float[Tensor, "conversation tool"],
    reference: Float[Tensor, "reference tool"] | None = None,
) -> Float[Tensor, "conversation tool"]:
    """Return scores minus each tool's mean score, so that no tool is preferred on
    average.

    Args:
        scores: The scores.
        reference: The scores to take the mean of, such as those of a question without
            content; None for the scores themselves, whose questions should then ask for
            all tools about equally often.

    Source: Zhao et al., Calibrate Before Use, https://arxiv.org/abs/2102.09690; Zhou et
        al., Batch Calibration, https://arxiv.org/abs/2309.17249

    >>> import torch
    >>> calibrate(torch.tensor([[-1.0, -5.0], [-2.0, -4.0]]))
    tensor([[ 0.5000, -0.5000],
            [-0.5000,  0.5000]])
    """
    given = scores if reference is None else reference
    return scores - given.mean(dim=0)


class CalibratedPolicy:
    """A policy that chooses its first tool by the calibrated likelihood of its name,
    then writes a constrained call of that tool; later messages are only constrained.

    Args:
        policy: The model with its context and masks.
        toolbox: The tools.
        reference: The scores whose mean is subtracted for each tool; zeros for the
            likelihood as it is.

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
