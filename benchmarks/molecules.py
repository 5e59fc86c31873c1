"""Molecules as text, measured part by part.

    generators   the model at two temperatures, real molecules, two trivial generators
    qed          steering by drug-likeness: plain, with a scaffold filter, hill climbing
    log_p        a reward that is hacked, and how it looks in the usual metrics
    best         the best 300 of all samples: of the unsteered model (screening), of
                 AddCarbon, of steering plain and with the filter, of hill climbing
    changes      the same for random changes of single tokens, without a model
    cures        that reward with a smaller sigma, a second term, a window, near data
    learned      a score learned from 800 molecules, and an ensemble of such scores
    tokens       property tokens with classifier-free guidance

    OMP_NUM_THREADS=1 python benchmarks/molecules.py --folder runs --parts qed --seeds 0

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. A seed decides all draws: samples, and
which molecules the learned score is fitted to. All runs begin with `molecules`.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from random import Random
from statistics import correlation, fmean

import torch
from molecule_scores import NearDataScore, ProductScore, log_p_score, log_p_window
from molecule_search import (
    FingerprintRidge,
    HillClimbSettings,
    RidgeEnsemble,
    ScaffoldFilter,
    change_at_random,
    hill_climb,
)

from genai_tutorial.data import load_molecule_split
from genai_tutorial.recipes import load
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.science.molecules import (
    MoleculeModel,
    MoleculeScore,
    Steered,
    SteeringSettings,
    add_carbon,
    count_failures,
    measure_molecules,
    qed,
    qed_score,
    random_selfies,
    sample_guided,
    steer,
    valid_molecules,
    validity,
)

STEPS, SIGMA, SMALL_SIGMA = 40, 60.0, 10.0
SAMPLES = 300
"""Number of strings sampled from each steered model."""

LEARNED_FROM = 800
"""Number of molecules with a known drug-likeness."""

EVERY = 5
"""Number of steps between two points of a curve."""


@cache
def model() -> MoleculeModel:
    return load("molecules")


def settings(seed: int, small: bool, sigma: float = SIGMA) -> SteeringSettings:
    steps, batch = (2, 16) if small else (STEPS, 64)
    return SteeringSettings(steps, batch, sigma, seed=seed)


def sampled(writer: MoleculeModel, seed: int, small: bool) -> list[str]:
    generator = torch.Generator().manual_seed(1_000 + seed)
    return writer.sample(40 if small else SAMPLES, generator=generator)


def described(samples: Sequence[str]) -> dict:
    """Return the metrics of samples, the commonest molecules, and some of them."""
    train, _ = load_molecule_split()
    valid = valid_molecules(samples)
    return {
        **measure_molecules(samples, train).to_dict(),
        "commonest": Counter(valid).most_common(6),
        "examples": list(dict.fromkeys(valid))[:12],
    }


def steered(run: Steered, seed: int, small: bool, truth: bool = False) -> dict:
    """Return the curve of a run, and the metrics of the model that it ended with."""
    points = []
    for start in range(0, len(run.steps), EVERY):
        steps = run.steps[start : start + EVERY]
        point = {
            "step": start + len(steps),
            "score": fmean(step.score for step in steps),
            "validity": fmean(step.validity for step in steps),
            "uniqueness": fmean(step.uniqueness for step in steps),
            "kl": fmean(step.kl for step in steps),
        }
        if truth:
            valid = valid_molecules([s for step in steps for s in step.samples])
            point["qed"] = fmean(map(qed, valid))
        points.append({name: round(value, 4) for name, value in point.items()})
    return {"curve": points, "after": described(sampled(run.model, seed, small))}


# The parts


def measure_generators(seed: int, small: bool) -> dict:
    train, held_out = load_molecule_split()
    count = 40 if small else 500
    generator = torch.Generator().manual_seed(seed)
    rows = {
        "model": model().sample(count, generator=generator),
        "model at 0.7": model().sample(count, temperature=0.7, generator=generator),
        "held out": Random(seed).sample(held_out, count),
        "add_carbon": add_carbon(train, count, seed),
        "random_selfies": random_selfies(train[:500], count, seed),
    }
    return {
        name: {**described(samples), "failures": count_failures(samples)}
        for name, samples in rows.items()
    }


def steering_runs(seed: int, small: bool) -> dict[str, Steered]:
    climb = HillClimbSettings(seed=seed)
    if small:
        climb = HillClimbSettings(rounds=1, samples=32, keep=8, updates=1)
    return {
        "plain": steer(model(), qed_score, settings(seed, small)),
        "filtered": steer(
            model(), qed_score, settings(seed, small), ScaffoldFilter(limit=10)
        ),
        "hill climbing": hill_climb(model(), qed_score, climb),
    }


def measure_qed(seed: int, small: bool) -> dict:
    runs = steering_runs(seed, small)
    return {name: steered(run, seed, small) for name, run in runs.items()}


def measure_best(seed: int, small: bool) -> dict:
    runs = steering_runs(seed, small)
    sampled = {
        name: [smiles for step in run.steps for smiles in step.samples]
        for name, run in runs.items()
    }
    generator = torch.Generator().manual_seed(seed)
    count = len(sampled["plain"])
    sampled["screening"] = model().sample(count, generator=generator)
    sampled["AddCarbon"] = add_carbon(load_molecule_split()[0], count, seed)
    return {
        name: {"scored": len(samples), **best_of(samples, small)}
        for name, samples in sampled.items()
    }


def best_of(samples: Sequence[str], small: bool) -> dict:
    distinct = dict.fromkeys(valid_molecules(samples))
    best = sorted(distinct, key=qed, reverse=True)[: 40 if small else SAMPLES]
    return described(best)


def measure_changes(seed: int, small: bool) -> dict:
    climb = HillClimbSettings(rounds=2 if small else 8, seed=seed)
    train, _ = load_molecule_split()
    measured = {}
    for name, free in (("molecules count", True), ("strings count", False)):
        found, tried = change_at_random(train, qed_score, climb, free_when_invalid=free)
        measured[name] = {
            "scored": climb.rounds * climb.samples,
            "strings": tried,
            **best_of(found, small),
        }
    return measured


def measure_log_p(seed: int, small: bool) -> dict:
    return steered(steer(model(), log_p_score, settings(seed, small)), seed, small)


def measure_cures(seed: int, small: bool) -> dict:
    train, _ = load_molecule_split()
    rewards: dict[str, tuple[MoleculeScore, float]] = {
        "smaller sigma": (log_p_score, SMALL_SIGMA),
        "times QED": (ProductScore((log_p_score, qed_score)), SIGMA),
        "window": (log_p_window, SIGMA),
        "near data": (NearDataScore(log_p_score, train), SIGMA),
    }
    return {
        name: steered(steer(model(), score, settings(seed, small, sigma)), seed, small)
        for name, (score, sigma) in rewards.items()
    }


def measure_learned(seed: int, small: bool) -> dict:
    train, held_out = load_molecule_split()
    known = Random(seed).sample(train, 60 if small else LEARNED_FROM)
    values = [qed(smiles) for smiles in known]
    scores = {
        "ridge": FingerprintRidge.fit(known, values),
        "ensemble": RidgeEnsemble.fit(known, values, seed=seed),
    }
    measured = {}
    for name, score in scores.items():
        run = steer(model(), score, settings(seed, small))
        after = steered(run, seed, small, truth=True)
        predicted = score(held_out).tolist()
        after["held_out_correlation"] = round(
            correlation(predicted, [qed(smiles) for smiles in held_out]), 4
        )
        measured[name] = after
    return measured


def measure_tokens(seed: int, small: bool) -> dict:
    train, _ = load_molecule_split()
    generator = torch.Generator().manual_seed(seed)
    measured = {}
    for guidance in (0.0, 1.0, 2.0, 4.0):
        asked, values, strings = [], [], []
        by_bin = []
        for label in range(5):
            drawn = sample_guided(
                model(), 20 if small else 80, label, guidance, generator=generator
            )
            own = [qed(smiles) for smiles in valid_molecules(drawn)]
            asked += [float(label)] * len(own)
            values += own
            strings += drawn
            by_bin.append(round(fmean(own), 4))
        measured[str(guidance)] = {
            "correlation": round(correlation(asked, values), 4),
            "qed_by_bin": by_bin,
            "validity_by_bin": [
                round(validity(part), 4)
                for part in (
                    strings[i * len(strings) // 5 : (i + 1) * len(strings) // 5]
                    for i in range(5)
                )
            ],
            "all": measure_molecules(strings, train).to_dict(),
            "highest bin": described(strings[-len(strings) // 5 :]),
        }
    return measured


PARTS = {
    "generators": measure_generators,
    "log_p": measure_log_p,
    "qed": measure_qed,
    "best": measure_best,
    "changes": measure_changes,
    "tokens": measure_tokens,
    "learned": measure_learned,
    "cures": measure_cures,
}


def main() -> None:
    whole = run_parts("molecules", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("molecules", whole)


if __name__ == "__main__":
    main()
