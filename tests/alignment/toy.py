"""A toy task with so few answers that the optimal policy can be computed: π(y) ∝
π_ref(y) exp(r(y) / β).

An answer is the end token, or a token and one more of any kind: 21 of them, for each of
two prompts.
"""

from dataclasses import replace

import torch

from genai_tutorial.alignment import Example, answer_log_probs, pad_examples
from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    FeedForwardConfig,
    InitializationConfig,
)
from tests.alignment.models import END

VOCAB, BETA = 5, 1.0
PROMPTS = [(2,), (3, 4)]
OTHERS = [token for token in range(VOCAB) if token != END]
ANSWERS = [(END,), *((first, second) for first in OTHERS for second in range(VOCAB))]
ROWS = {
    prompt: pad_examples([Example(prompt, answer) for answer in ANSWERS])
    for prompt in PROMPTS
}


def reference_of(seed):
    """Return a model with n-gram features of up to three tokens, which can represent
    any policy.
    """
    config = replace(
        DecoderConfig.fast(VOCAB, 4, 32, 1, 2, convolution_size=0, triple_features=32),
        feed_forward=FeedForwardConfig(64, "squared_relu"),
        initialization=InitializationConfig(std=0.05),
    )
    model, generator = DecoderLM(config, seed), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator))
    return model


def rewards_of(seed):
    """What each answer to each prompt is worth."""
    generator = torch.Generator().manual_seed(seed + 100)
    return {
        prompt: torch.randn(len(ANSWERS), generator=generator) for prompt in PROMPTS
    }


def score_of(rewards):
    """The same for rollouts."""
    worth = {
        (p, a): float(r)
        for p in PROMPTS
        for a, r in zip(ANSWERS, rewards[p], strict=True)
    }

    def score(rollouts):
        columns = rollouts.ids, rollouts.prompt_lengths, rollouts.lengths
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return torch.tensor(
            [
                worth[tuple(ids[:start]), tuple(ids[start:end])]
                for ids, start, end in rows
            ]
        )

    return score


def policy_of(model, prompt):
    """The logarithm of the probability of each answer."""
    rows = ROWS[prompt]
    return answer_log_probs(model, rows.ids, rows.is_answer)


@torch.no_grad()
def best_policies(reference, rewards, beta=BETA):
    return {
        prompt: (policy_of(reference, prompt) + rewards[prompt] / beta).log_softmax(0)
        for prompt in PROMPTS
    }


@torch.no_grad()
def distance(model, best):
    """KL(policy || best policy), in nats, on average over the prompts; times β, it is
    what the policy fails to earn.
    """
    found = [(policy_of(model, prompt), best[prompt]) for prompt in PROMPTS]
    return sum(
        float((policy.exp() * (policy - wanted)).sum()) for policy, wanted in found
    ) / len(PROMPTS)
