"""Over-optimization and the frontier: PPO, DPO, GRPO and best-of-n from comparisons.

For each seed, the fine-tuned model answers questions, simulated raters compare its
answers, and two reward models are trained. The first has also seen comparisons with
contrasting answers: two that decline and, where a question has no answer, a made-up
claim. The second, the narrow one, has seen the model's own answers only. Both are
evaluated on comparisons about held-out questions, beside a rule that knows no facts.
Then each method trains the model. Along the way it answers held-out questions at
temperature 1, and each answer gets three numbers: the gold score, the reward model's
score, and the KL divergence from the fine-tuned model. Best-of-n needs no training: its
KL divergence is known, and its scores are estimated from many samples per question.
The control of DPO, `exchanged`, trains on the same comparisons with the chosen and the
rejected answer of half of them, or of all, exchanged.

    # about eight CPU minutes per seed; the control alone, two minutes
    OMP_NUM_THREADS=1 python benchmarks/preferences.py --folder runs --seeds 0 1 2 3 4
    python benchmarks/preferences.py --folder runs --seeds 0 1 2 3 4 --study exchanged

Finished runs are kept in the folder and not repeated. A study that is not run keeps its
place in the record. `--smoke` runs a small version of everything and keeps no record.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path

import torch
from finished import command_line, kept
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from genai_tutorial import recipes
from genai_tutorial.alignment import (
    LearningSettings,
    ScalarModel,
    answer_pairs,
    best_of_n,
    best_of_n_kl,
    encode_pairs,
    encode_prompt,
    group_relative_advantages,
    grpo_loss,
    judge_reward_model,
    learn_by_dpo,
    learn_by_ppo,
    masked_sum,
    sample_answers,
    token_log_probs,
    train_reward_model,
)
from genai_tutorial.data import load_facts
from genai_tutorial.generation import Rollouts, Score, generate_rollouts
from genai_tutorial.runtime import describe_machine, keep_record, record
from genai_tutorial.tasks.assistant import (
    CHAT,
    MAX_ANSWER_TOKENS,
    Comparison,
    GoldRule,
    baseline_answers,
    collect_comparisons,
    contrasting_answers,
    gold_reward,
    measure_behaviour,
    preference_without_facts,
    questions_of_all_categories,
    random_raters,
    split_by_question,
    wins,
)
from genai_tutorial.training import (
    AdamW,
    clip_gradients,
    scale_learning_rates,
    warmup_constant,
)
from genai_tutorial.transformer import DecoderLM

RATERS, ANSWERS, PAIRS = 5, 4, 4
GROUP = 8  # answers to each prompt, for GRPO
EXCHANGED = (0.5, 1.0)  # shares of the comparisons


@dataclass(frozen=True)
class Budget:
    """The amount of work.

    Attributes:
        questions: The number of questions whose answers are compared.
        held_out: The share of them that judges the reward models.
        reward_steps: The number of batches of 16 comparisons for a reward model.
        steps: The number of steps of 64 answers for PPO and GRPO.
        dpo_steps: The number of batches of 16 comparisons for DPO.
        judged: The number of held-out questions that measure a policy.
        sampled: The number of held-out questions for best-of-n.
        samples: The number of answers to each of them.
    """

    questions: int = 600
    held_out: float = 0.2
    reward_steps: int = 120
    steps: int = 16
    dpo_steps: int = 64
    judged: int = 192
    sampled: int = 96
    samples: int = 64


SMOKE = Budget(144, 0.2, 2, 4, 4, 48, 24, 4)


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        method: PPO, DPO or GRPO.
        kl_weight: The KL coefficient: per answer for PPO and DPO (beta), per token for
            GRPO.
        reward: What scores the answers: the reward model, the narrow one, or the gold
            rule.
        learning_rate: The learning rate of AdamW after the warmup.
        every: The number of steps between two measurements.
    """

    method: str
    kl_weight: float
    reward: str = "reward model"
    learning_rate: float = 2e-4
    every: int = 4

    @property
    def name(self) -> str:
        """A name for files."""
        parts = (self.method, self.kl_weight, self.reward, self.learning_rate)
        return "-".join(map(str, parts)).replace(" ", "-")


RUNS = (
    Run("PPO", 0.0, "narrow reward model", every=2),
    Run("PPO", 0.0, every=2),
    Run("PPO", 0.3, every=2),
    Run("PPO", 0.05, every=2),
    Run("GRPO", 0.04, "gold rule"),
    Run("DPO", 0.1, learning_rate=1e-4),
    Run("DPO", 0.1, learning_rate=5e-4),
)


def grpo_update(
    policy: DecoderLM,
    reference: DecoderLM,
    optimizer: AdamW,
    rollouts: Rollouts,
    advantages: Float[Tensor, "answer"],
    kl_weight: float,
    generator: torch.Generator,
) -> None:
    """Update the policy in two passes over a batch of answers, in two minibatches each,
    with a KL penalty; the package's `learn_by_grpo` makes one step without it.
    """
    ids, mask = rollouts.ids, rollouts.mask
    with torch.no_grad():
        references = token_log_probs(reference, ids)
    for _ in range(2):
        for part in torch.randperm(len(ids), generator=generator).tensor_split(2):
            loss = grpo_loss(
                token_log_probs(policy, ids[part]),
                rollouts.log_probs[part],
                references[part],
                advantages[part],
                mask[part],
                0.2,
                kl_weight,
            )
            optimizer.zero_grad()
            loss.backward()
            clip_gradients(policy.parameters(), 1.0)
            optimizer.step()


class Study:
    """The fine-tuned model, its raters and reward models for one seed, and the
    measurements.
    """

    def __init__(self, budget: Budget, folder: Path, seed: int):
        self.budget, self.folder, self.seed = budget, folder, seed
        self.assistant, self.tokenizer = recipes.load("factbook-sft")
        self.rule = GoldRule(load_facts())
        self.end = self.tokenizer.special_tokens[CHAT.end]
        self.judged = questions_of_all_categories(budget.judged, "held-out", seed=0)
        self.learning = questions_of_all_categories(
            budget.questions, "trained", seed=seed + 1
        )
        self.comparisons = {
            "reward model": self._compare(contrast=True),
            "narrow reward model": self._compare(contrast=False),
        }

    @cached_property
    def reward_models(self) -> dict[str, ScalarModel]:
        """The reward model of each set of comparisons."""
        return {name: self._train(name) for name in self.comparisons}

    def _compare(
        self, contrast: bool
    ) -> tuple[tuple[Comparison, ...], tuple[Comparison, ...]]:
        """Return training and held-out comparisons, which share no question."""
        seed = self.seed
        asked = questions_of_all_categories(self.budget.questions, "trained", seed)
        answers = kept(
            self.folder / f"answers-{seed}.json",
            lambda: sample_answers(
                self.assistant,
                self.tokenizer,
                CHAT,
                [question.text for question in asked],
                ANSWERS,
                MAX_ANSWER_TOKENS,
                torch.Generator().manual_seed(seed),
            ),
        )
        if contrast:
            others = contrasting_answers(asked, load_facts(), seed)
            answers = [own + more for own, more in zip(answers, others, strict=True)]
        pairs = answer_pairs(asked, answers, PAIRS, torch.Generator().manual_seed(seed))
        raters = random_raters(RATERS, self.rule, seed)
        comparisons = collect_comparisons(pairs, raters, len(pairs), seed)
        return split_by_question(comparisons, self.budget.held_out, seed)

    def encoded(self, comparisons: tuple[Comparison, ...]):
        """Return comparisons as tokens."""
        return encode_pairs(CHAT, self.tokenizer, [one.pair for one in comparisons])

    def _train(self, name: str) -> ScalarModel:
        """Train a reward model, or load it if an earlier call has trained it."""
        path = self.folder / f"{name.replace(' ', '-')}-{self.seed}.safetensors"
        if not path.exists():
            trained = train_reward_model(
                self.assistant,
                self.encoded(self.comparisons[name][0]),
                self.budget.reward_steps,
                learning_rate=1e-3,
                seed=self.seed,
                progress=False,
            )
            save_file(trained.state_dict(), path)
        model = ScalarModel(self.assistant)
        model.load_state_dict(load_file(path))
        return model.eval()

    def judge_reward_models(self) -> list[dict]:
        """Return each reward model's accuracy on both sets of held-out comparisons, and
        that of the rule without facts.
        """
        reports = []
        for name, model in self.reward_models.items():
            for source, (_, held_out) in self.comparisons.items():
                report = judge_reward_model(model, self.encoded(held_out))
                sides = [
                    [getattr(one, side) for one in held_out]
                    for side in ("question", "chosen", "rejected")
                ]
                without_facts = [
                    preference_without_facts(self.rule, *one)
                    for one in zip(*sides, strict=True)
                ]
                gold = wins(self.rule, *sides)
                figures = {
                    "accuracy": report.accuracy,
                    "loss": report.loss,
                    "rule_without_facts": sum(without_facts) / len(without_facts),
                    "gold_rule": sum(gold) / len(gold),
                }
                reports.append(
                    {
                        "seed": self.seed,
                        "reward_model": name,
                        "comparisons_of": source,
                        "n": len(held_out),
                        **{key: round(value, 4) for key, value in figures.items()},
                    }
                )
        return reports

    def score(self, reward: str) -> Score:
        """Return the function that scores answers in training."""
        if reward == "gold rule":
            return gold_reward(self.rule, self.tokenizer, self.learning)
        model = self.reward_models[reward]
        return lambda rollouts: model.score(rollouts.ids, rollouts.lengths).detach()

    def proxy(self, reward: str) -> ScalarModel:
        """Return the reward model that is watched in training with a reward."""
        return self.reward_models.get(reward, self.reward_models["reward model"])

    @torch.no_grad()
    def measure(self, policy: DecoderLM, reward: str | None) -> dict[str, float]:
        """Return gold score, proxy, KL divergence and behaviour of answers to held-out
        questions, at temperature 1; without a reward, there is no proxy.
        """
        prompts = [encode_prompt(CHAT, self.tokenizer, q.text) for q in self.judged]
        rollouts = generate_rollouts(
            policy,
            prompts,
            MAX_ANSWER_TOKENS,
            end_token=self.end,
            generator=torch.Generator().manual_seed(0),
        )
        kl, proxy = [], []
        for part in rollouts.lengths.argsort().tensor_split(8):
            lengths = rollouts.lengths[part]
            longest = int(lengths.max())
            ids = rollouts.ids[part, :longest]
            ours, theirs = (
                model(ids).log_softmax(dim=-1) for model in (policy, self.assistant)
            )
            each = (ours.exp() * (ours - theirs)).sum(dim=-1)[:, :-1]
            kl.append(masked_sum(each, rollouts.mask[part, : longest - 1]))
            if reward is not None:
                proxy.append(self.proxy(reward).score(ids, lengths))
        texts = [self.tokenizer.decode(one).strip() for one in rollouts.answers()]
        measures = {
            "kl": torch.cat(kl).mean().item(),
            **({"proxy": torch.cat(proxy).mean().item()} if proxy else {}),
            "gold": measure_behaviour(self.rule, self.judged, texts).gold,
            "tokens": rollouts.mask.sum(dim=1).float().mean().item(),
        }
        for kind in ("known", "invented", "absent", "private"):
            asked, said = zip(
                *(
                    (question, text)
                    for question, text in zip(self.judged, texts, strict=True)
                    if question.kind == kind
                ),
                strict=True,
            )
            behaviour = vars(measure_behaviour(self.rule, asked, said))
            measures |= {f"{kind}: {name}": value for name, value in behaviour.items()}
        return {name: round(value, 4) for name, value in measures.items()}

    def baselines(self) -> dict[str, float]:
        """Return the gold score of each baseline on the same questions."""
        texts = [question.text for question in self.judged]
        sampled = sample_answers(
            self.assistant,
            self.tokenizer,
            CHAT,
            texts,
            1,
            MAX_ANSWER_TOKENS,
            torch.Generator().manual_seed(0),
        )
        answers = baseline_answers(self.judged, [one for (one,) in sampled])
        return {
            name: round(measure_behaviour(self.rule, self.judged, texts).gold, 4)
            for name, texts in answers.items()
        }

    def learn(
        self, run: Run, steps: int, watch: Callable[[int, DecoderLM], None]
    ) -> None:
        """Train once; `watch` sees the policy before the first step and after each."""
        if run.method == "DPO":
            per_step = self.budget.dpo_steps // steps
            watch(0, self.assistant)
            learn_by_dpo(
                self.assistant,
                self.encoded(self.comparisons[run.reward][0]),
                self.budget.dpo_steps,
                beta=run.kl_weight,
                learning_rate=run.learning_rate,
                seed=self.seed,
                watch=lambda done, policy: watch(done // per_step, policy),
                watch_every=per_step,
            )
            return
        prompts = [encode_prompt(CHAT, self.tokenizer, q.text) for q in self.learning]
        if run.method == "GRPO":
            self._learn_by_grpo(run, steps, prompts, watch)
            return
        learn_by_ppo(
            self.assistant,
            self.reward_models[run.reward],
            prompts,
            self.score(run.reward),
            LearningSettings(
                steps, learning_rate=run.learning_rate, kl_weight=run.kl_weight
            ),
            end_token=self.end,
            seed=self.seed,
            watch=watch,
            progress=False,
        )

    def _learn_by_grpo(
        self,
        run: Run,
        steps: int,
        prompts: list[list[int]],
        watch: Callable[[int, DecoderLM], None],
    ) -> None:
        policy = deepcopy(self.assistant).train()
        generator = torch.Generator().manual_seed(self.seed)
        optimizer = AdamW(policy.parameters(), lr=run.learning_rate)
        score, warmup = self.score(run.reward), warmup_constant(5)
        watch(0, policy)
        for step in range(steps):
            scale_learning_rates(optimizer, warmup(step))
            drawn = torch.randint(len(prompts), (8,), generator=generator).tolist()
            rollouts = generate_rollouts(
                policy,
                [prompts[place] for place in drawn for _ in range(GROUP)],
                MAX_ANSWER_TOKENS,
                end_token=self.end,
                generator=generator,
            )
            advantages = group_relative_advantages(score(rollouts).view(-1, GROUP))
            grpo_update(
                policy,
                self.assistant,
                optimizer,
                rollouts,
                advantages.flatten(),
                run.kl_weight,
                generator,
            )
            watch(step + 1, policy)

    def measured_run(self, run: Run) -> dict:
        """Train once, measure along the way, and time the training alone."""
        points: list[dict] = []
        seconds, since = 0.0, time.process_time()
        steps = self.budget.steps

        def watch(step: int, policy: DecoderLM) -> None:
            nonlocal seconds, since
            seconds += time.process_time() - since
            if step % run.every == 0:
                measures = self.measure(policy.eval(), run.reward)
                points.append({"step": step, **measures})
                policy.train()
            since = time.process_time()

        self.learn(run, steps, watch)
        about = {**vars(run), "seed": self.seed, "cpu_seconds": round(seconds, 1)}
        return {**about, "points": points}

    def exchanged(self, share: float) -> dict:
        """Run DPO with its smaller learning rate after exchanging the chosen and the
        rejected answer of a share of the comparisons, drawn at random.
        """
        comparisons = list(self.comparisons["reward model"][0])
        # not the seed of the batches, which would exchange the first ones
        generator = torch.Generator().manual_seed(1000 + self.seed)
        drawn = torch.randperm(len(comparisons), generator=generator).tolist()
        for place in drawn[: round(share * len(comparisons))]:
            one = comparisons[place]
            comparisons[place] = replace(one, chosen=one.rejected, rejected=one.chosen)
        since = time.process_time()
        policy, _ = learn_by_dpo(
            self.assistant,
            self.encoded(tuple(comparisons)),
            self.budget.dpo_steps,
            beta=0.1,
            learning_rate=1e-4,
            seed=self.seed,
        )
        seconds = round(time.process_time() - since, 1)
        about = {"share": share, "seed": self.seed, "cpu_seconds": seconds}
        return about | self.measure(policy, None)


@cache
def many_samples(budget: Budget, folder: Path) -> list[list[str]]:
    """Return many answers of the fine-tuned model to each held-out question."""

    def sample() -> list[list[str]]:
        assistant, tokenizer = recipes.load("factbook-sft")
        asked = questions_of_all_categories(budget.sampled, "held-out", seed=1)
        return sample_answers(
            assistant,
            tokenizer,
            CHAT,
            [question.text for question in asked],
            budget.samples,
            MAX_ANSWER_TOKENS,
            torch.Generator().manual_seed(1),
        )

    return kept(folder / "samples.json", sample)


@torch.no_grad()
def scores_of_samples(study: Study, name: str) -> torch.Tensor:
    """Return a reward model's score of every sample; equal answers are read once."""
    asked = questions_of_all_categories(study.budget.sampled, "held-out", seed=1)
    rows = []
    for question, answers in zip(
        asked, many_samples(study.budget, study.folder), strict=True
    ):
        texts = list(dict.fromkeys(answers))
        pairs = encode_pairs(
            CHAT,
            study.tokenizer,
            [Comparison(question, text, text, 0).pair for text in texts],
        )
        scores = study.reward_models[name].score(*pairs.tensors[:2]).tolist()
        of_text = dict(zip(texts, scores, strict=True))
        rows.append([of_text[answer] for answer in answers])
    return torch.tensor(rows)


def best_of_n_paths(studies: list[Study]) -> list[dict]:
    """Return gold score and proxy of best-of-n for each reward model, and for ensembles
    that average the reward models of all seeds.
    """
    budget, folder, rule = studies[0].budget, studies[0].folder, studies[0].rule
    asked = questions_of_all_categories(budget.sampled, "held-out", seed=1)
    gold = torch.tensor(
        [
            [rule.score(question, answer) for answer in answers]
            for question, answers in zip(
                asked, many_samples(budget, folder), strict=True
            )
        ]
    )
    chosen_by: list[tuple[str, int | None, torch.Tensor]] = [("gold rule", None, gold)]
    for name in studies[0].reward_models:
        scores = [scores_of_samples(study, name) for study in studies]
        chosen_by += [
            (name, study.seed, one) for study, one in zip(studies, scores, strict=True)
        ]
        chosen_by.append(
            (f"ensemble of {name}s", None, torch.stack(scores).mean(dim=0))
        )
    counts = [2**power for power in range(budget.samples.bit_length())]
    return [
        {
            "reward": name,
            "seed": seed,
            "points": [
                {
                    "n": n,
                    "kl": round(best_of_n_kl(n), 4),
                    "gold": round(best_of_n(scores, gold, n).mean().item(), 4),
                    "proxy": round(best_of_n(scores, scores, n).mean().item(), 4),
                }
                for n in counts
            ],
        }
        for name, seed, scores in chosen_by
    ]


def main() -> None:
    parser = command_line(__doc__, [0])
    parser.add_argument(
        "--runs-only", action="store_true", help="stop after the runs of these seeds"
    )
    parser.add_argument("--study", choices=("exchanged",), help="only this one")
    settings = parser.parse_args()
    folder = settings.folder
    budget = SMOKE if settings.smoke else Budget()
    runs, controls, studies = [], [], []
    for seed in settings.seeds:
        study = Study(budget, folder, seed)
        studies.append(study)
        for share in EXCHANGED:
            path = folder / f"exchanged-{share}-{seed}.json"
            controls.append(kept(path, partial(study.exchanged, share)))
        if settings.study:
            continue
        for report in study.judge_reward_models():
            print(report, flush=True)
        for run in RUNS:
            path = folder / f"{run.name}-{seed}.json"
            runs.append(kept(path, partial(study.measured_run, run)))
    if settings.runs_only:
        return
    if settings.study and not settings.smoke:
        keep_record("preferences", record("preferences") | {"exchanged": controls})
    if settings.study:
        return
    about = {
        "machine": describe_machine(),
        "seconds": "CPU seconds of one thread, without the measuring",
        "budget": vars(budget),
        "baselines": studies[0].baselines(),
        "reward_models": [
            report for study in studies for report in study.judge_reward_models()
        ],
        "runs": runs,
        "exchanged": controls,
        "best_of_n": best_of_n_paths(studies),
    }
    if not settings.smoke:
        keep_record("preferences", about)


if __name__ == "__main__":
    main()
