"""Preferences: pairs of answers to a prompt of which one was preferred, and the reward
model, a Transformer that outputs a single number for a prompt with its answer and is
trained on such pairs.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear
from genai_tutorial.transformer import DecoderLM

from .supervised import Rows, encode_example, encode_prompt, pad_examples

BATCH_SIZE = 256
"""The number of answers sampled at once, to prompts of similar length."""

BINS = 5
"""The number of bins of confidence in a `PreferenceReport`."""

PromptTokens = TypeVar("Prompt")


@dataclass(frozen=True)
class PreferencePair:
    """Two answers to one prompt, and which of them was preferred: the columns of
    TRL's preference data sets.
    """

    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True)
class EncodedPairs:
    """Preference pairs as tokens, one pair per row: each prompt with the chosen answer,
    and with the rejected one.
    """

    chosen: Rows
    rejected: Rows

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The tokens and lengths of both sides, in the order of `reward_loss`'s
        arguments.
        """
        return (
            self.chosen.ids,
            self.chosen.lengths,
            self.rejected.ids,
            self.rejected.lengths,
        )

    def __len__(self) -> int:
        return len(self.chosen.ids)


def length_chunks(
    lengths: Int[Tensor, "row"], count: int
) -> tuple[Int[Tensor, "part"], ...]:
    """Split the rows of a batch by length, which saves padding."""
    return lengths.argsort(stable=True).tensor_split(min(count, len(lengths)))


def sample_answers(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    template: ChatTemplate,
    prompts: Sequence[str],
    per_prompt: int,
    max_new_tokens: int,
    generator: torch.Generator,
) -> list[list[str]]:
    """Sample several answers to each prompt, at temperature 1, and return them without
    spaces around them.

    Args:
        template: The chat template that the model was trained with.
        prompts: The user's turns.
        max_new_tokens: The largest number of tokens of an answer.
    """
    encoded = [encode_prompt(template, tokenizer, prompt) for prompt in prompts]
    answers: list[list[str]] = [[] for _ in prompts]
    by_length = sorted(range(len(prompts)), key=lambda place: len(encoded[place]))
    places = [place for place in by_length for _ in range(per_prompt)]
    for start in range(0, len(places), BATCH_SIZE):
        batch = places[start : start + BATCH_SIZE]
        rollouts = generate_rollouts(
            model,
            [encoded[place] for place in batch],
            max_new_tokens,
            end_token=tokenizer.special_tokens[template.end],
            generator=generator,
        )
        for place, answer in zip(batch, rollouts.answers(), strict=True):
            answers[place].append(tokenizer.decode(answer).strip())
    return answers


def answer_pairs(
    prompts: Sequence[PromptTokens],
    answers: Sequence[Sequence[str]],
    per_prompt: int,
    generator: torch.Generator,
) -> list[tuple[PromptTokens, str, str]]:
    """Pair different answers to the same prompt, for raters to compare.

    Args:
        prompts: The prompts, in the form that the rater needs.
        answers: The answers to each prompt; duplicates are dropped.
        per_prompt: The largest number of pairs per prompt, drawn from all pairs.

    >>> generator = torch.Generator().manual_seed(0)
    >>> answer_pairs(["Capital?"], [["Lima.", "Lima.", "Nairobi."]], 3, generator)
    [('Capital?', 'Lima.', 'Nairobi.')]
    """
    pairs = []
    for prompt, candidates in zip(prompts, answers, strict=True):
        possible = list(combinations(dict.fromkeys(candidates), 2))
        order = torch.randperm(len(possible), generator=generator)[:per_prompt]
        pairs += [(prompt, *possible[place]) for place in order.tolist()]
    return pairs


def encode_pairs(
    template: ChatTemplate, tokenizer: BPETokenizer, pairs: Sequence[PreferencePair]
) -> EncodedPairs:
    """Encode preference pairs; each answer follows its prompt after a space.

    Raises:
        ValueError: If there are no pairs.
    """

    def encode_side(answers: Sequence[str]) -> Rows:
        examples = [
            encode_example(
                template, tokenizer, [Message("user", pair.prompt)], f" {answer}"
            )
            for pair, answer in zip(pairs, answers, strict=True)
        ]
        return pad_examples(examples)

    return EncodedPairs(
        chosen=encode_side([pair.chosen for pair in pairs]),
        rejected=encode_side([pair.rejected for pair in pairs]),
    )


class ScalarModel(nn.Module):
    """A decoder with one output per token instead of logits over the vocabulary.

    The output at the last token of an answer is its reward; PPO uses the outputs before
    it as values.

    Args:
        decoder: The decoder to initialize from, such as the fine-tuned model; it is
            copied.

    Source: Stiennon et al., Learning to summarize from human feedback, section 3.4,
    https://arxiv.org/abs/2009.01325
    """

    def __init__(self, decoder: DecoderLM):
        super().__init__()
        self.decoder = deepcopy(decoder).requires_grad_(True)
        self.decoder.head = None
        self.head = nn.Linear(decoder.config.width, 1)
        nn.init.zeros_(self.head.weight)  # no preferences before training
        nn.init.zeros_(self.head.bias)
        self.head.to(next(decoder.parameters()).device)

    def forward(
        self, ids: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "batch position"]:
        """Return the output at each token; padding at the end changes nothing before
        it.
        """
        return self.head(self.decoder.final_norm(self.decoder.read(ids)))[..., 0]

    def score(
        self, ids: Int[Tensor, "batch position"], lengths: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch"]:
        """Return the reward: the output at the last token of each row's text.

        Args:
            ids: Prompts with their answers, padded at the end.
            lengths: The number of tokens of each row's text.

        Raises:
            ValueError: If a length is below 1 or above the row's.
        """
        if lengths.min() < 1 or lengths.max() > ids.shape[1]:
            raise ValueError(
                f"lengths must be from 1 to {ids.shape[1]}, got {lengths.min()} to "
                f"{lengths.max()}."
            )
        return self(ids[:, : int(lengths.max())]).gather(1, lengths[:, None] - 1)[:, 0]


def preference_probability(
    chosen: Float[Tensor, "*pair"], rejected: Float[Tensor, "*pair"]
) -> Float[Tensor, "*pair"]:
    """Return the probability that the first of two answers with these rewards is
    preferred.

    Source: Bradley and Terry, Rank Analysis of Incomplete Block Designs,
        https://doi.org/10.2307/2334029
    """
    return (chosen - rejected).sigmoid()


def preference_losses(
    chosen: Float[Tensor, "*pair"], rejected: Float[Tensor, "*pair"]
) -> Float[Tensor, "*pair"]:
    """Return each comparison's -log p(chosen is preferred), in nats.

    Source: Ouyang et al., Training language models to follow instructions with human
        feedback, equation 1, https://arxiv.org/abs/2203.02155
    """
    return -functional.logsigmoid(chosen - rejected)


def reward_loss(
    model: ScalarModel,
    chosen_ids: Int[Tensor, "pair position"],
    chosen_lengths: Int[Tensor, "pair"],
    rejected_ids: Int[Tensor, "pair rejected_position"],
    rejected_lengths: Int[Tensor, "pair"],
) -> Float[Tensor, ""]:
    """Return the mean loss of a reward model on a batch of comparisons, in nats; for
    `fit` on `EncodedPairs.tensors`.
    """
    chosen = model.score(chosen_ids, chosen_lengths)
    rejected = model.score(rejected_ids, rejected_lengths)
    return preference_losses(chosen, rejected).mean()


def train_reward_model(
    decoder: DecoderLM,
    pairs: EncodedPairs,
    steps: int,
    *,
    batch_size: int = 16,
    learning_rate: float = 3e-4,
    seed: int = 0,
    progress: bool = True,
) -> ScalarModel:
    """Train a reward model that is initialized from a decoder, with AdamW, warmup and a
    linear decay.
    """

    def loss(model: ScalarModel, *batch: Tensor) -> Tensor:
        """Return `reward_loss`, computed in chunks of similar length."""
        _, chosen_lengths, _, rejected_lengths = batch
        chunks = length_chunks(torch.maximum(chosen_lengths, rejected_lengths), 4)
        losses = [
            len(chunk) * reward_loss(model, *(tensor[chunk] for tensor in batch))
            for chunk in chunks
        ]
        return torch.stack(losses).sum() / len(chosen_lengths)

    model = ScalarModel(decoder)
    fit(
        model,
        TensorBatches(pairs.tensors, batch_size, seed),
        loss,
        AdamW(model.parameters(), lr=learning_rate),
        steps=steps,
        schedule=warmup_linear(steps, min(10, steps)),
        progress=progress,
    )
    return model.eval()


@dataclass(frozen=True)
class PreferenceReport:
    """Measures of how well rewards predict held-out preferences.

    Attributes:
        accuracy: The share of comparisons whose preferred answer has the higher reward;
            equal rewards count half.
        loss: The mean of -log p(chosen is preferred), in nats: ln 2 for equal rewards.
        confidence: The mean probability of the predicted winner, for each bin from 1/2
            to 1.
        observed: The share of them whose predicted winner was preferred; where it is
            lower, the model is overconfident.
        counts: The number of comparisons in each bin; empty bins have zeros.
        correct: For each comparison, 1 if the preferred answer was predicted, 0 if not,
            and 1/2 for a tie.
    """

    accuracy: float
    loss: float
    confidence: Float[Tensor, "bin"]
    observed: Float[Tensor, "bin"]
    counts: Int[Tensor, "bin"]
    correct: Float[Tensor, "pair"]

    @property
    def calibration_error(self) -> float:
        """The expected calibration error: the distance between confidence and observed
        share, averaged over the comparisons.
        """
        return float(
            ((self.confidence - self.observed).abs() * self.counts).sum()
            / self.counts.sum()
        )


@torch.no_grad()
def preference_report(
    chosen: Float[Tensor, "pair"], rejected: Float[Tensor, "pair"]
) -> PreferenceReport:
    """Compare rewards with preferences.

    Source: Guo et al., On Calibration of Modern Neural Networks, equation 3,
        https://arxiv.org/abs/1706.04599
    """
    probability = preference_probability(chosen, rejected).double()
    confidence = probability.maximum(1 - probability)
    won = torch.where(chosen == rejected, 0.5, (chosen > rejected).double())
    which = ((confidence - 0.5) * 2 * BINS).long().clamp(max=BINS - 1)
    counts = which.bincount(minlength=BINS)
    means = [
        which.bincount(numbers, minlength=BINS) / counts.clamp(min=1)
        for numbers in (confidence, won)
    ]
    loss = float(preference_losses(chosen, rejected).mean())
    return PreferenceReport(float(won.mean()), loss, *means, counts, won)


@torch.no_grad()
def judge_reward_model(model: ScalarModel, pairs: EncodedPairs) -> PreferenceReport:
    """Report how well a reward model predicts preference pairs that it was not trained
    on.
    """
    device = next(model.parameters()).device
    chosen_ids, chosen_lengths, rejected_ids, rejected_lengths = (
        part.to(device) for part in pairs.tensors
    )
    return preference_report(
        model.score(chosen_ids, chosen_lengths),
        model.score(rejected_ids, rejected_lengths),
    )
