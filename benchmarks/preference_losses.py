"""Relatives of DPO on the comparisons of `preferences.py`: IPO, KTO, SimPO and ORPO.

Each trains a copy of the fine-tuned model on the same batches as DPO there, with the
same two learning rates, and is measured in the same way.

    # about six CPU minutes per seed
    OMP_NUM_THREADS=1 python benchmarks/preference_losses.py --folder runs \
        --seeds 0 1 2 3 4

Finished runs are kept in the folder and not repeated. `--smoke` runs a small version of
everything and keeps no record.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import product

import torch
from finished import command_line, kept
from jaxtyping import Float
from preferences import SMOKE, Budget, Study
from torch import Tensor

from genai_tutorial.alignment import (
    PreferencePair,
    Rows,
    answer_log_probs,
    encode_pairs,
    ipo_losses,
    kto_losses,
    orpo_losses,
    simpo_losses,
)
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.assistant import CHAT, Comparison
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear
from genai_tutorial.transformer import DecoderLM

RATES = (1e-4, 5e-4)  # those of DPO there
BETA = 0.1  # of IPO and KTO, as of DPO in `preferences.py`
SIMPO = {"beta": 2.0, "margin": 1.0}
ORPO_WEIGHT = 0.1
METHODS = {
    "IPO": f"beta {BETA}, whole answers",
    "KTO": f"beta {BETA}",
    "SimPO": f"beta {SIMPO['beta']}, margin {SIMPO['margin']}",
    "ORPO": f"weight {ORPO_WEIGHT}",
}


def log_probs_of(model: DecoderLM, ids: Tensor, is_answer: Tensor) -> Tensor:
    """Return each answer's log-probability, without the columns that are padding."""
    end = int(is_answer.any(dim=0).nonzero().max()) + 1
    return answer_log_probs(model, ids[:, :end], is_answer[:, :end])


def pair_loss(
    method: str, reference: DecoderLM, model: DecoderLM, *rows: Tensor
) -> Float[Tensor, ""]:
    """Return a method's mean loss on a batch.

    Args:
        rows: Tokens and the mask of answers, for the chosen side, the rejected one, and
            for KTO the mismatched one.
    """
    sides = [log_probs_of(model, *rows[place : place + 2]) for place in (0, 2)]
    if method in ("SimPO", "ORPO"):
        tokens = [rows[place].sum(dim=1) for place in (1, 3)]
        means = [side / count for side, count in zip(sides, tokens, strict=True)]
        if method == "SimPO":
            return simpo_losses(*means, **SIMPO).mean()
        return orpo_losses(*means, ORPO_WEIGHT).mean()
    with torch.no_grad():
        known = [
            log_probs_of(reference, *rows[place : place + 2])
            for place in range(0, len(rows), 2)
        ]
        if method == "KTO":
            kl = (log_probs_of(model, *rows[4:]) - known[2]).mean()
    if method == "IPO":
        return ipo_losses(*sides, *known, BETA).mean()
    return kto_losses(*sides, *known[:2], kl, BETA).mean()


def mismatched(study: Study, comparisons: tuple[Comparison, ...]) -> Rows:
    """Return each prompt with the answer to another, chosen and rejected ones by turns;
    on these KTO estimates the KL divergence.
    """
    generator = torch.Generator().manual_seed(study.seed)
    others = torch.randperm(len(comparisons), generator=generator).tolist()
    pairs = [
        PreferencePair(
            one.pair.prompt,
            (comparisons[other].chosen, comparisons[other].rejected)[place % 2],
            "",
        )
        for place, (one, other) in enumerate(zip(comparisons, others, strict=True))
    ]
    return encode_pairs(CHAT, study.tokenizer, pairs).chosen


def learn(
    study: Study,
    method: str,
    rate: float,
    watch: Callable[[int, DecoderLM], None],
    watch_every: int,
) -> None:
    """Train a copy of the fine-tuned model as `learn_by_dpo` does, on the same batches,
    with another loss.
    """
    comparisons, steps = study.comparisons["reward model"][0], study.budget.dpo_steps
    pairs = study.encoded(comparisons)
    sides = [pairs.chosen, pairs.rejected]
    if method == "KTO":
        sides.append(mismatched(study, comparisons))
    rows = [tensor for side in sides for tensor in (side.ids, side.is_answer)]
    policy, done = deepcopy(study.assistant).train(), 0

    def evaluate(_: DecoderLM) -> float:
        nonlocal done
        done += watch_every
        watch(done, policy)
        return 0.0

    fit(
        policy,
        TensorBatches(rows, 16, study.seed),
        partial(pair_loss, method, study.assistant),
        AdamW(policy.parameters(), lr=rate),
        steps=steps,
        schedule=warmup_linear(steps, min(10, steps)),
        evaluate=evaluate,
        evaluate_every=watch_every,
        progress=False,
    )


def measured_run(study: Study, method: str, rate: float) -> dict:
    """Train once, measure at the end, and time the training."""
    points: list[dict] = []
    seconds, since = 0.0, time.process_time()

    def watch(step: int, policy: DecoderLM) -> None:
        nonlocal seconds, since
        seconds += time.process_time() - since
        points.append({"step": step, **study.measure(policy.eval(), None)})
        policy.train()
        since = time.process_time()

    learn(study, method, rate, watch, study.budget.dpo_steps)
    return {
        "method": method,
        "settings": METHODS[method],
        "learning_rate": rate,
        "seed": study.seed,
        "cpu_seconds": round(seconds, 1),
        "points": points,
    }


def main() -> None:
    parser = command_line(__doc__, [0])
    parser.add_argument("--runs-only", action="store_true", help="record nothing")
    settings = parser.parse_args()
    budget = SMOKE if settings.smoke else Budget()
    runs = []
    for seed in settings.seeds:
        study = None
        for rate, method in product(RATES, METHODS):
            path = settings.folder / f"{method}-{rate}-{seed}.json"
            if not path.exists() and study is None:
                study = Study(budget, settings.folder, seed)
            runs.append(kept(path, partial(measured_run, study, method, rate)))
    if settings.runs_only or settings.smoke:
        return
    about = {
        "machine": describe_machine(),
        "seconds": "CPU seconds of one thread, without the measuring",
        "budget": vars(budget),
        "runs": runs,
    }
    keep_record("preference_losses", about)


if __name__ == "__main__":
    main()
