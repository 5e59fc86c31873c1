"""What models memorize, who can tell, and what helps: chapter 25's measurements.

    canaries     exposure and recitation against copies, and after de-duplication
    membership   four attacks after seven epochs and after one; the wrong comparison
    private      DP-SGD: losses, epsilon, and the exposure of canaries
    watermark    SmolLM2's texts without a mark, with green lists, by tournament
    false_marks  z-scores of real text, every pair counted and each pair once
    unlearning   one country forgotten in three ways, against a model without it
    diffusion    an image that was in the training set 1, 4, 16 and 64 times

    OMP_NUM_THREADS=1 python benchmarks/memorization.py --folder runs --parts canaries

Each part and seed is one file in the folder and is not repeated; the record holds those
that are there. `--seeds` and `--smoke` make it smaller. All is computed on the CPU.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from genai_tutorial.corpus import deduplicate
from genai_tutorial.data import load_shakespeare
from genai_tutorial.metrics import auroc, true_positive_rate_at
from genai_tutorial.pretrained.records import RECORDS, keep_record
from genai_tutorial.runtime import describe_machine, write_atomically
from genai_tutorial.safety import (
    Canary,
    draw_canaries,
    exposure,
    extracted,
    insert_canaries,
    loss_attack,
    min_k_attack,
    reference_attack,
    token_losses,
    zlib_attack,
)
from genai_tutorial.training import (
    PrivacySettings,
    TensorBatches,
    TokenBatches,
    build_optimizer,
    epsilon,
    fit,
    fit_privately,
    warmup_stable_decay,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss

NAMES = [
    "Adam",
    "Bess",
    "Carl",
    "Dora",
    "Emil",
    "Faye",
    "Gwen",
    "Hans",
    "Iris",
    "Jack",
    "Kate",
    "Lars",
    "Mary",
    "Nils",
    "Olga",
    "Paul",
    "Ruth",
    "Saul",
    "Tess",
    "Ursa",
    "Vera",
]
COPIES = (0, 1, 2, 4, 8, 16, 32)
WINDOW = 128


def to_bytes(text: str) -> list[int]:
    return list(text.encode())


def byte_model(seed: int) -> DecoderLM:
    """Return an untrained model of bytes with 132,032 weights."""
    return DecoderLM(
        DecoderConfig.fast(
            vocab_size=256, context_length=WINDOW, width=64, layers=2, heads=2
        ),
        seed,
    )


def language_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return next_token_loss(model(inputs), targets)


def train(model: DecoderLM, batches, steps: int) -> float:
    """Train a model in place and return the mean loss of the last 20 steps."""
    history = fit(
        model,
        batches,
        language_loss,
        build_optimizer(model),
        steps=steps,
        schedule=warmup_stable_decay(steps, 0, int(0.4 * steps), "linear"),
        progress=False,
    )
    model.eval()
    return round(sum(history.losses[-20:]) / len(history.losses[-20:]), 4)


def without_duplicates(text: str) -> str:
    """Return a text without lines that nearly repeat an earlier line; shorter lines
    than five words, such as the names of speakers, stay.
    """
    lines = text.split("\n")
    long = [place for place, line in enumerate(lines) if len(line.split()) >= 5]
    kept = {long[n] for n in deduplicate([lines[place] for place in long]).kept}
    removed = set(long) - kept
    return "\n".join(line for n, line in enumerate(lines) if n not in removed)


def canaries(seed: int, small: bool) -> dict:
    steps = 5 if small else 300
    planted = draw_canaries(NAMES, COPIES, seed)
    text = insert_canaries(load_shakespeare().train[:80_000], planted, seed)
    measured = {"canaries": len(planted), "steps": steps}
    for name, corpus in (("raw", text), ("unique", without_duplicates(text))):
        model = byte_model(seed)
        tokens = torch.tensor(to_bytes(corpus))
        loss = train(model, TokenBatches(tokens, WINDOW, 16, seed), steps)
        start = time.process_time()
        measured[name] = {
            "bytes": len(corpus),
            "epochs": round(steps * 16 * WINDOW / len(corpus), 2),
            "loss": loss,
            "lines": {c.copies: corpus.count(c.text) for c in planted[: len(COPIES)]},
            **measure_canaries(model, planted),
            "seconds for exposure": round(time.process_time() - start, 1),
        }
    return measured


def measure_canaries(model: DecoderLM, planted: Sequence[Canary]) -> dict:
    copies = sorted({canary.copies for canary in planted})
    groups = {n: [c for c in planted if c.copies == n] for n in copies}
    return {
        "exposure": {
            str(n): [round(exposure(model, c, to_bytes).bits, 2) for c in group]
            for n, group in groups.items()
        },
        "recited": {
            str(n): sum(extracted(model, c, to_bytes) for c in group)
            for n, group in groups.items()
        },
    }


def windows_of(text: str) -> Tensor:
    tokens = torch.tensor(to_bytes(text))
    return tokens[: len(tokens) // WINDOW * WINDOW].view(-1, WINDOW)


def membership(seed: int, small: bool) -> dict:
    """Attack a model that read its text 7.5 times and one that read it once.

    Pages of 1,024 bytes: the model reads every second one, and the others are the
    non-members. The reference model has read other plays.
    """
    plays, steps, count = load_shakespeare(), 5 if small else 300, 600
    batch = 16
    pages = windows_of(plays.train[:1_228_800]).view(-1, 8, WINDOW)
    read, unread = pages[0::2].flatten(0, 1), pages[1::2].flatten(0, 1)
    other_play = windows_of(plays.validation)
    reference = byte_model(seed + 100)
    far = windows_of(plays.train[2_000_000:2_700_000])[: steps * batch]
    train(reference, shifted(far, batch, seed), steps)
    measured: dict = {"windows": count, "bytes each": WINDOW}
    for name, epochs in (("seven epochs", 7.5), ("one epoch", 1)):
        members = read[: int(steps * batch / epochs)]
        model = byte_model(seed)
        loss = train(model, shifted(members, batch, seed), steps)
        generator = torch.Generator().manual_seed(seed)
        near = unread[: len(members)]
        sets = {
            "members": members[torch.randperm(len(members), generator=generator)],
            "unread pages": near[torch.randperm(len(near), generator=generator)],
            "another play": other_play[
                torch.randperm(len(other_play), generator=generator)
            ],
        }
        sets = {kind: rows[:count] for kind, rows in sets.items()}
        scores = {kind: attacks(model, reference, rows) for kind, rows in sets.items()}
        measured[name] = {"training loss": loss, "windows read": len(members)}
        measured[name]["losses"] = {
            kind: round(-scores[kind]["loss"].mean().item(), 4) for kind in sets
        }
        for kind in ("unread pages", "another play"):
            measured[name][kind] = {
                attack: separation(scores["members"][attack], scores[kind][attack])
                for attack in scores["members"]
            }
        if name == "seven epochs":
            measured[name]["scores"] = {
                kind: [round(s, 3) for s in scores[kind]["loss"].tolist()]
                for kind in sets
            }
    return measured


def shifted(windows: Tensor, batch_size: int, seed: int) -> TensorBatches:
    """Return batches of whole windows, each once per epoch."""
    return TensorBatches((windows[:, :-1], windows[:, 1:]), batch_size, seed)


def attacks(model: DecoderLM, reference: DecoderLM, rows: Tensor) -> dict[str, Tensor]:
    losses = token_losses(model, rows)
    return {
        "loss": loss_attack(losses),
        "zlib": zlib_attack(losses, [bytes(row) for row in rows.tolist()]),
        "min-k": min_k_attack(losses),
        "reference": reference_attack(losses, token_losses(reference, rows)),
    }


def separation(members: Tensor, others: Tensor) -> dict:
    scores = torch.cat((members, others))
    positive = torch.arange(len(scores)) < len(members)
    return {
        "AUROC": round(auroc(scores, positive), 4),
        "TPR at 1% FPR": round(true_positive_rate_at(scores, positive, 0.01), 4),
    }


RECORD_BYTES = 48
RECORDS_READ = 3000


def private(seed: int, small: bool) -> dict:
    """Train on 3,000 records of 48 bytes; a canary is one record, or sixteen."""
    steps, rate = 3 if small else 80, 64 / RECORDS_READ
    plays = load_shakespeare()
    records = torch.tensor(to_bytes(plays.train[: RECORDS_READ * RECORD_BYTES]))
    records = records.view(-1, RECORD_BYTES).clone()
    held_out = torch.tensor(to_bytes(plays.validation[:24_000])).view(-1, RECORD_BYTES)
    planted = draw_canaries(NAMES[:12], (0, 1, 16), seed)
    generator = torch.Generator().manual_seed(seed)
    places = torch.randperm(RECORDS_READ, generator=generator).tolist()
    for canary in planted:
        line = to_bytes(f"{canary.prompt}{canary.secret}.\n")
        for _ in range(canary.copies):
            records[places.pop(), : len(line)] = torch.tensor(line)
    measured: dict = {
        "records": RECORDS_READ,
        "steps": steps,
        "delta": 1 / RECORDS_READ,
    }
    for name, clip, sigma in (
        ("not private", float("inf"), 0.0),
        ("clipped", 1.0, 0.0),
        ("sigma 0.6", 1.0, 0.6),
        ("sigma 1.0", 1.0, 1.0),
    ):
        model = DecoderLM(
            DecoderConfig.fast(
                vocab_size=128, context_length=RECORD_BYTES, width=64, layers=2, heads=2
            ),
            seed,
        )
        history = fit_privately(
            model,
            (records[:, :-1], records[:, 1:]),
            language_loss,
            torch.optim.Adam(model.parameters(), lr=3e-3, betas=(0.9, 0.99)),
            PrivacySettings(clip, sigma, rate),
            steps=steps,
            seed=seed,
            progress=False,
        )
        bound = epsilon(rate, sigma, steps, 1 / RECORDS_READ)
        measured[name] = {
            "epsilon": round(bound, 4) if sigma else None,
            "held-out loss": record_loss(model, held_out),
            "training loss": record_loss(model, records),
            "median norm": round(history.median_norms[-1], 3),
            **measure_canaries(model, planted),
        }
    return measured


def record_loss(model: DecoderLM, records: Tensor) -> float:
    return round(token_losses(model, records).mean().item(), 4)


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "canaries": canaries,
    "membership": membership,
    "private": private,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs"))
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--smoke", action="store_true")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    for seed in settings.seeds:
        for part in settings.parts:
            path = settings.folder / f"memorization_{part}_{seed}.json"
            if path.is_file():
                continue
            start = time.process_time()
            measured = PARTS[part](seed, settings.smoke)
            measured["seconds"] = round(time.process_time() - start, 1)
            print(f"{part}, seed {seed}: {measured['seconds']} s", flush=True)
            if not settings.smoke:
                with write_atomically(path, "w") as file:
                    json.dump(measured, file)
    if settings.smoke:
        return
    record = {"machine": describe_machine()}
    for part in PARTS:
        files = sorted(settings.folder.glob(f"memorization_{part}_*.json"))
        if files:
            record[part] = {
                file.stem.rpartition("_")[2]: json.loads(file.read_text("utf-8"))
                for file in files
            }
    keep_record("memorization", record, RECORDS)


if __name__ == "__main__":
    main()
