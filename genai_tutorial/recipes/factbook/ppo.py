"""The recipe of the assistant that learned from preferences: comparisons, a reward
model, and PPO.
"""

import time
from dataclasses import dataclass
from typing import ClassVar

import torch

from genai_tutorial.alignment import (
    LearningSettings,
    answer_pairs,
    encode_pairs,
    encode_prompt,
    judge_reward_model,
    learn_by_ppo,
    sample_answers,
    train_reward_model,
)
from genai_tutorial.data import load_absent, load_facts
from genai_tutorial.data.source import Source
from genai_tutorial.recipes.decoder import DecoderRecipe
from genai_tutorial.recipes.factbook.corpus import SOURCE
from genai_tutorial.recipes.factbook.sft import (
    CHAT,
    FACTBOOK_SFT,
    LONGEST_ANSWER,
    load_split,
)
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.tasks.assistant import (
    Comparison,
    GoldRule,
    Question,
    chat_answers,
    collect_comparisons,
    measure_behaviour,
    mixed_questions,
    random_raters,
    wins,
)
from genai_tutorial.tasks.assistant.wordings import Phrasing
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderConfig, DecoderLM

DECLINING = ("I do not know.", "I cannot help with that.")
"""Two answers that are put beside the assistant's own to every question.

By itself the assistant hardly ever declines a question that has an answer. A reward
model that has never seen that being disliked takes declining for good everywhere, and
the policy soon does nothing else; chapter 14 shows it.
"""

TEST_QUESTIONS = 960
"""How many held-out questions judge the model on its card."""


@dataclass(frozen=True)
class FeedbackRecipe(DecoderRecipe):
    """How the assistant learns from preferences.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The decoder's settings: those of the assistant.
        questions: To how many questions the assistant's answers are compared, and from
            how many PPO draws.
        answers: How many answers to each question are sampled for that.
        pairs: How many pairs of different answers each question gives.
        raters: How many simulated raters there are.
        budget: How many comparisons they make.
        held_out: How many of these judge the reward model and do not train it.
        reward_steps: How many batches of 16 comparisons the reward model reads.
        steps: How many steps PPO makes.
        batch_size: How many answers each step learns from.
        learning_rate: Of PPO.
        kl_weight: The price of a nat of distance from the assistant, at first.
        kl_target: The distance that this price is adapted to, in nats an answer.
        seed: Decides all that is drawn.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: DecoderConfig
    questions: int
    answers: int
    pairs: int
    raters: int
    budget: int
    held_out: int
    reward_steps: int
    steps: int
    batch_size: int
    learning_rate: float
    kl_weight: float
    kl_target: float | None
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE

    def compare(
        self, assistant: DecoderLM, tokenizer: BPETokenizer
    ) -> tuple[Comparison, ...]:
        """Return what the raters preferred of the assistant's own answers and
        declining, to questions of training.
        """
        asked = all_questions(self.questions, "trained", self.seed)
        generator = torch.Generator().manual_seed(self.seed)
        written = sample_answers(
            assistant,
            tokenizer,
            CHAT,
            [question.text for question in asked],
            self.answers,
            LONGEST_ANSWER,
            generator,
        )
        candidates = [[*given, *DECLINING] for given in written]
        raters = random_raters(self.raters, GoldRule(load_facts()), self.seed)
        return collect_comparisons(
            answer_pairs(asked, candidates, self.pairs, generator),
            raters,
            self.budget,
            self.seed,
        )

    def fit(self, settings: RunSettings) -> Trained:
        """Trains a reward model and then the policy. A run that was stopped begins anew
        and ends the same.
        """
        started = time.perf_counter()
        assistant, tokenizer = load_recipe(FACTBOOK_SFT)
        comparisons = self.compare(assistant, tokenizer)
        pairs = [comparison.pair for comparison in comparisons]
        training, held_out = (
            encode_pairs(CHAT, tokenizer, part)
            for part in (pairs[: -self.held_out], pairs[-self.held_out :])
        )
        assistant.to(settings.device)
        reward_model = train_reward_model(
            assistant,
            training,
            self.reward_steps,
            seed=self.seed,
            progress=settings.progress,
        )
        report = judge_reward_model(reward_model, held_out)
        asked = all_questions(self.questions, "trained", self.seed + 1)
        policy, history = learn_by_ppo(
            assistant,
            reward_model,
            [encode_prompt(CHAT, tokenizer, question.text) for question in asked],
            lambda rollouts: reward_model.score(
                rollouts.ids, rollouts.lengths
            ).detach(),
            LearningSettings(
                settings.steps,
                self.batch_size,
                LONGEST_ANSWER,
                self.learning_rate,
                kl_weight=self.kl_weight,
                kl_target=self.kl_target,
            ),
            end_token=tokenizer.special_tokens[CHAT.end],
            seed=self.seed,
            progress=settings.progress,
        )
        notes = {
            "reward_model": {
                "accuracy": round(report.accuracy, 4),
                "calibration_error": round(report.calibration_error, 4),
            },
            "scores": [round(step.score, 4) for step in history],
            "kl": [round(step.kl, 4) for step in history],
            "tokenizer": tokenizer.to_dict(),
        }
        return Trained(policy, time.perf_counter() - started, notes)

    def measure(self, model: DecoderLM) -> dict:
        """Return what the model does with held-out questions of each category, and how
        often it beats the assistant.
        """
        assistant, tokenizer = load_recipe(FACTBOOK_SFT)
        rule = GoldRule(load_facts())
        measured: dict[str, dict[str, float]] = {}
        won: list[float] = []
        for category, asked in mixed_questions(
            load_split(), load_absent(), TEST_QUESTIONS, "held-out", self.seed
        ).items():
            texts = [question.text for question in asked]
            new, old = (
                chat_answers(chat_model, tokenizer, CHAT, texts, LONGEST_ANSWER)
                for chat_model in (model, assistant)
            )
            for name, value in vars(measure_behaviour(rule, asked, new)).items():
                measured.setdefault(name, {})[category] = round(value, 4)
            won += wins(rule, asked, new, old)
        return {"win_rate_over_factbook_sft": round(sum(won) / len(won), 4)} | measured

    def headline(self, metrics: dict) -> str:
        """Return the win rate in words."""
        return (
            "its answers are better than factbook-sft's in "
            f"{metrics['win_rate_over_factbook_sft']:.0%} of questions"
        )

    def write(
        self, loaded: tuple[DecoderLM, BPETokenizer], wishes: Wishes, seed: int
    ) -> str:
        """Return the answer to the prompt, as the assistant's recipe does."""
        return FACTBOOK_SFT.write(loaded, wishes, seed)


def all_questions(count: int, phrasing: Phrasing, seed: int) -> list[Question]:
    """Return questions of every category, one category after the other."""
    drawn = mixed_questions(load_split(), load_absent(), count, phrasing, seed)
    return [question for asked in drawn.values() for question in asked]


FACTBOOK_PPO = FeedbackRecipe(
    name="factbook-ppo",
    title="The assistant after learning from simulated raters' preferences by PPO",
    config=FACTBOOK_SFT.config,
    questions=2000,
    answers=4,
    pairs=4,
    raters=5,
    budget=5000,
    held_out=500,
    reward_steps=280,
    steps=80,
    batch_size=64,
    learning_rate=2e-4,
    kl_weight=0.1,
    kl_target=None,
    published=True,
)
"""The model that chapter 14 compares with the one that it trains while you wait."""
