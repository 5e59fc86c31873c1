"""Learning from the same comparisons by PPO, DPO and GRPO: what each wins by the gold
rule, and how far it goes for it.

The fine-tuned model answers questions, simulated raters compare its answers, and a
reward model learns from them. Then each method moves the model. Along the way, held-out
questions are answered at temperature 1, and each answer gets three numbers: the gold
rule's, the reward model's, and the KL divergence from the fine-tuned model. GRPO learns
from the gold rule itself in place of the reward model. And three runs of PPO learn from
a reward model that has seen the model's own answers only: reward hacking on purpose,
without a price on distance, with a small one and with a larger one.

    # about seven CPU minutes a seed
    OMP_NUM_THREADS=1 python benchmarks/preferences.py --folder runs

What was finished before a run was stopped is in the folder, and is not done again.
`--smoke` does a little of everything and keeps no record.
"""

import argparse
import json
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from genai_tutorial import recipes
from genai_tutorial.alignment import (
    EncodedPairs,
    GRPOSettings,
    LearningSettings,
    ScalarModel,
    answer_log_probs,
    answer_pairs,
    dpo_loss,
    encode_pairs,
    encode_prompt,
    grpo_step,
    judge_reward_model,
    learn_by_ppo,
    masked_sum,
    sample_answers,
    train_reward_model,
)
from genai_tutorial.data import load_facts
from genai_tutorial.generation import Rollouts, generate_rollouts
from genai_tutorial.pretrained.records import keep_record
from genai_tutorial.runtime import describe_machine
from genai_tutorial.tasks.assistant import (
    CHAT,
    DECLINING_ANSWERS,
    MAX_ANSWER_TOKENS,
    GoldRule,
    Question,
    collect_comparisons,
    measure_behaviour,
    questions_of_all_categories,
    random_raters,
)
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear
from genai_tutorial.transformer import DecoderLM

RATERS, ANSWERS, PAIRS = 5, 4, 4


@dataclass(frozen=True)
class Budget:
    """How much is done.

    Attributes:
        questions: To how many questions the raters see answers.
        reward_steps: How many batches of 16 comparisons the reward model reads.
        steps: How many steps of 64 answers PPO and GRPO make.
        dpo_steps: How many batches of 16 comparisons DPO reads.
        judged: How many held-out questions judge a model.
        points: How often it is judged on the way.
    """

    questions: int = 600
    reward_steps: int = 150
    steps: int = 16
    dpo_steps: int = 80
    judged: int = 192
    points: int = 4


SMOKE = Budget(questions=144, reward_steps=2, steps=2, dpo_steps=2, judged=48, points=1)


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        method: PPO, DPO or GRPO.
        price: What a nat of distance costs: PPO's price of an answer's KL, DPO's beta,
            GRPO's price of a token's KL.
        reward: Who scores the answers: the reward model, the gold rule, or the narrow
            reward model, which has compared the model's own answers only, without
            declining ones.
        learning_rate: AdamW's, after the warm-up.
    """

    method: str
    price: float
    reward: str = "reward model"
    learning_rate: float = 2e-4


RUNS = (
    Run("PPO", 0.05),
    Run("PPO", 0.0, "narrow reward model"),
    Run("DPO", 0.1, learning_rate=1e-4),
    Run("DPO", 0.1, learning_rate=5e-4),
    Run("GRPO", 0.04, "gold rule"),
    Run("PPO", 0.05, "narrow reward model"),
    Run("PPO", 0.3, "narrow reward model"),
)


class Judge:
    """The fine-tuned model, its raters, and what every model is measured by."""

    def __init__(self, budget: Budget, folder: Path):
        self.budget, self.folder = budget, folder
        self.assistant, self.tokenizer = recipes.load("factbook-sft")
        self.rule = GoldRule(load_facts())
        self.end = self.tokenizer.special_tokens[CHAT.end]
        self.asked = questions_of_all_categories(budget.judged, "held-out", seed=0)
        self.learned, self.unseen = self._compare(DECLINING_ANSWERS)
        self.narrow, _ = self._compare(())
        self._models: dict[str, ScalarModel] = {}

    def _compare(self, besides: tuple[str, ...]) -> tuple[EncodedPairs, EncodedPairs]:
        asked = questions_of_all_categories(self.budget.questions, "trained", seed=0)
        kept, generator = self.folder / "answers.json", torch.Generator().manual_seed(0)
        if not kept.exists():
            written = sample_answers(
                self.assistant,
                self.tokenizer,
                CHAT,
                [question.text for question in asked],
                ANSWERS,
                MAX_ANSWER_TOKENS,
                generator,
            )
            kept.write_text(json.dumps(written), encoding="utf-8")
        candidates = [
            [*given, *besides] for given in json.loads(kept.read_text("utf8"))
        ]
        pairs = answer_pairs(asked, candidates, PAIRS, torch.Generator().manual_seed(0))
        comparisons = collect_comparisons(
            pairs, random_raters(RATERS, self.rule, seed=0), len(pairs), seed=0
        )
        preferences = [comparison.pair for comparison in comparisons]
        held_out = len(preferences) // 5
        return (
            encode_pairs(CHAT, self.tokenizer, preferences[held_out:]),
            encode_pairs(CHAT, self.tokenizer, preferences[:held_out]),
        )

    def reward_model(self, name: str) -> ScalarModel:
        """Trains a reward model, or reads what an earlier run of this file has left."""
        if name in self._models:
            return self._models[name]
        kept = self.folder / f"{name.replace(' ', '-')}.safetensors"
        if not kept.exists():
            trained = train_reward_model(
                self.assistant,
                self.narrow if name == "narrow reward model" else self.learned,
                self.budget.reward_steps,
                learning_rate=1e-3,
                progress=False,
            )
            save_file(trained.state_dict(), kept)
        model = ScalarModel(self.assistant)
        model.load_state_dict(load_file(kept))
        self._models[name] = model.eval()
        return model

    def score(
        self, reward: str, asked: dict[tuple[int, ...], Question]
    ) -> Callable[[Rollouts], torch.Tensor]:
        """Says what answers are worth, to a reward model or to the gold rule."""
        if reward != "gold rule":
            model = self.reward_model(reward)
            return lambda rollouts: model.score(rollouts.ids, rollouts.lengths).detach()

        def by_rule(rollouts: Rollouts) -> torch.Tensor:
            prompts = [
                tuple(row[:n])
                for row, n in zip(
                    rollouts.ids.tolist(), rollouts.prompt_lengths, strict=True
                )
            ]
            texts = [
                self.tokenizer.decode(answer).strip() for answer in rollouts.answers()
            ]
            pairs = zip(prompts, texts, strict=True)
            return torch.tensor(
                [self.rule.score(asked[prompt], text) for prompt, text in pairs]
            )

        return by_rule

    @torch.no_grad()
    def measure(self, policy: DecoderLM, reward: str) -> dict[str, float]:
        """Gold and proxy of answers at temperature 1, their KL divergence, and what is
        done with each kind.
        """
        prompts = [
            encode_prompt(CHAT, self.tokenizer, question.text)
            for question in self.asked
        ]
        rollouts = generate_rollouts(
            policy,
            prompts,
            MAX_ANSWER_TOKENS,
            end_token=self.end,
            generator=torch.Generator().manual_seed(0),
        )
        ours, theirs = (
            model(rollouts.ids).log_softmax(dim=-1)
            for model in (policy, self.assistant)
        )
        kl = masked_sum(
            (ours.exp() * (ours - theirs)).sum(dim=-1)[:, :-1], rollouts.mask
        )
        texts = [self.tokenizer.decode(answer).strip() for answer in rollouts.answers()]
        model = self.reward_model("reward model" if reward == "gold rule" else reward)
        measures = {
            "kl": kl.mean().item(),
            "gold": measure_behaviour(self.rule, self.asked, texts).gold,
            "proxy": model.score(rollouts.ids, rollouts.lengths).mean().item(),
            "tokens": rollouts.mask.sum(dim=1).float().mean().item(),
        }
        for kind in ("known", "invented", "absent", "private"):
            places = [
                place
                for place, question in enumerate(self.asked)
                if question.kind == kind
            ]
            behaviour = measure_behaviour(
                self.rule,
                [self.asked[place] for place in places],
                [texts[place] for place in places],
            )
            measures |= {
                f"{kind}: {name}": value for name, value in vars(behaviour).items()
            }
        return {name: round(value, 4) for name, value in measures.items()}


def learn(
    judge: Judge, run: Run, seed: int, watch: Callable[[int, DecoderLM], None]
) -> None:
    """Trains once, and lets `watch` see the model before the first step and after
    each.
    """
    asked = questions_of_all_categories(judge.budget.questions, "trained", seed=1)
    prompts = [
        encode_prompt(CHAT, judge.tokenizer, question.text) for question in asked
    ]
    steps = judge.budget.steps
    by_prompt = {
        tuple(prompt): question for prompt, question in zip(prompts, asked, strict=True)
    }
    score = judge.score(run.reward, by_prompt)
    if run.method == "PPO":
        learn_by_ppo(
            judge.assistant,
            judge.reward_model(run.reward),
            prompts,
            score,
            LearningSettings(
                steps, learning_rate=run.learning_rate, kl_weight=run.price
            ),
            end_token=judge.end,
            seed=seed,
            watch=watch,
            progress=False,
        )
    elif run.method == "GRPO":
        policy, generator = (
            deepcopy(judge.assistant).train(),
            torch.Generator().manual_seed(seed),
        )
        optimizer = AdamW(policy.parameters(), lr=run.learning_rate)
        settings = GRPOSettings(
            group_size=8, epochs=2, minibatches=2, kl_weight=run.price
        )
        watch(0, policy)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = run.learning_rate * min(1.0, (step + 1) / 5)
            drawn = torch.randint(len(prompts), (8,), generator=generator).tolist()
            grpo_step(
                policy,
                judge.assistant,
                optimizer,
                [prompts[place] for place in drawn],
                score,
                settings,
                max_new_tokens=MAX_ANSWER_TOKENS,
                end_token=judge.end,
                generator=generator,
            )
            watch(step + 1, policy)
    else:
        learn_by_dpo(judge, run, seed, watch)


def learn_by_dpo(
    judge: Judge, run: Run, seed: int, watch: Callable[[int, DecoderLM], None]
) -> None:
    """Trains on the comparisons that the reward model learned from."""
    rows = [
        (side.ids, side.is_answer)
        for side in (judge.learned.chosen, judge.learned.rejected)
    ]
    with torch.no_grad():
        references = [
            torch.cat(
                [
                    answer_log_probs(judge.assistant, *part)
                    for part in zip(*(t.split(64) for t in side), strict=True)
                ]
            )
            for side in rows
        ]
    policy, done, steps = deepcopy(judge.assistant).train(), 0, judge.budget.dpo_steps

    def loss(model: DecoderLM, *batch: torch.Tensor) -> torch.Tensor:
        chosen, is_chosen, rejected, is_rejected, *given = batch
        # without padding
        chosen_end, rejected_end = (
            int(mask.any(dim=0).nonzero().max()) + 1
            for mask in (is_chosen, is_rejected)
        )
        rows = (
            chosen[:, :chosen_end],
            is_chosen[:, :chosen_end],
            rejected[:, :rejected_end],
            is_rejected[:, :rejected_end],
        )
        return dpo_loss(model, *rows, *given, beta=run.price)

    def evaluate(model: DecoderLM) -> float:
        nonlocal done
        done += 1
        watch(done * judge.budget.steps // judge.budget.points, model)
        return 0.0

    watch(0, policy)
    fit(
        policy,
        TensorBatches((*rows[0], *rows[1], *references), batch_size=16, seed=seed),
        loss,
        AdamW(policy.parameters(), lr=run.learning_rate),
        steps=steps,
        schedule=warmup_linear(steps, min(10, steps)),
        evaluate=evaluate,
        evaluate_every=max(1, steps // judge.budget.points),
        progress=False,
    )


def measured_run(judge: Judge, run: Run, seed: int) -> dict:
    """Trains once, measures on the way, and times the training alone."""
    points, seconds, since = [], 0.0, time.process_time()
    every = judge.budget.steps // judge.budget.points

    def watch(step: int, policy: DecoderLM) -> None:
        nonlocal seconds, since
        seconds += time.process_time() - since
        if step % every == 0:
            points.append({"step": step, **judge.measure(policy.eval(), run.reward)})
            policy.train()
        since = time.process_time()

    learn(judge, run, seed, watch)
    return {
        **vars(run),
        "seed": seed,
        "cpu_seconds": round(seconds, 1),
        "points": points,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", required=True, help="for what is finished")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--smoke", action="store_true", help="a little of everything, and no record"
    )
    settings = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    budget = SMOKE if settings.smoke else Budget()
    judge = Judge(budget, folder)
    runs = []
    for seed in settings.seeds:
        for run in RUNS:
            name = f"{run.method}-{run.price}-{run.reward.replace(' ', '-')}-{run.learning_rate:g}-{seed}"  # noqa: E501
            kept = folder / f"{name}.json"
            if not kept.exists():
                kept.write_text(
                    json.dumps(measured_run(judge, run, seed)), encoding="utf-8"
                )
            runs.append(json.loads(kept.read_text("utf8")))
            print(name, runs[-1]["cpu_seconds"], runs[-1]["points"][-1], flush=True)
    reports = {}
    for name in ("reward model", "narrow reward model"):
        report = judge_reward_model(judge.reward_model(name), judge.unseen)
        reports[name] = {
            "accuracy": round(report.accuracy, 4),
            "loss": round(report.loss, 4),
        }
    if not settings.smoke:
        about = {
            "machine": describe_machine(),
            "seconds": "CPU seconds of one thread, without the measuring",
            "budget": vars(budget),
            "comparisons": len(judge.learned.chosen.ids),
            "reward_models": reports,
            "runs": runs,
        }
        keep_record("preferences", about)


if __name__ == "__main__":
    main()
