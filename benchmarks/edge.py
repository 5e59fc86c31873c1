"""Small, private, personal: chapter 28's measurements.

    personal      factbook-base fine-tuned on the book's own prose: LoRA and all
                  weights, with and without old texts; what is learned and forgotten
    pruning       shakespeare without small weights, hidden units or a block, and healed
    distillation  a student of a quarter of the size: hard labels, soft targets, and a
                  start from the pruned teacher
    federated     plays as clients, and the same text dealt equally; local steps; counts
    leakage       verses recovered from gradients, pairs from updates, what hides them
    price         federated training with clipped and noised updates
    canary        secrets in a personal text: adapter, all weights, and private training
    stopped       private training against ordinary training that learns as much
    onnx          tokens per CPU second of onnxruntime, over those of PyTorch

    OMP_NUM_THREADS=1 python benchmarks/edge.py --folder runs --parts leakage

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. All is computed on the CPU. A seed
decides the batches, which plays are clients, and the secrets; the held-out texts stay
the same.
"""

import math
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from federated import (
    FederatedSettings,
    private_average,
    recover_text,
    train_federated,
)
from torch import Tensor

from genai_tutorial.alignment import (
    LoRAConfig,
    add_lora,
    fold_lora,
    trained_parameter_count,
)
from genai_tutorial.data import load_shakespeare
from genai_tutorial.edge import (
    ALL_MATRICES,
    OnnxStep,
    PersonalSettings,
    adamw,
    export_step,
    federated_average,
    gradient_of,
    local_update,
    loss_change,
    personalize,
    read_own_texts,
    row_norms,
)
from genai_tutorial.efficiency import (
    activation_masks,
    apply_masks,
    block_influence,
    keep_blocks,
    magnitude_masks,
    narrow_feed_forward,
    pattern_masks,
    soft_target_loss,
    sparse_bits_per_weight,
    unit_scores,
)
from genai_tutorial.generation import generate
from genai_tutorial.metrics import evaluate_language_model
from genai_tutorial.recipes import held_out_loss, load, load_corpus
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.safety import (
    Canary,
    draw_canaries,
    exposure,
    extracted,
    insert_canaries,
)
from genai_tutorial.tasks.assistant import END_OF_TEXT, complete_facts
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import (
    AdamW,
    OptimizerSettings,
    PrivacySettings,
    TensorBatches,
    TokenBatches,
    build_optimizer,
    epsilon,
    fit,
    fit_privately,
    train_step,
    warmup_linear,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, language_model_loss

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SCORED = 8192  # held-out tokens

# Personal


@cache
def factbook():
    return load("factbook-base")


def encode(texts: Sequence[str]) -> Tensor:
    tokenizer = factbook()[1]
    end = tokenizer.special_tokens[END_OF_TEXT]
    rows = [tokenizer.encode(text, special_as_text=True) for text in texts]
    return torch.tensor([token for row in rows for token in (*row, end)])


@cache
def own_texts() -> tuple[tuple[str, ...], Tensor]:
    """Return the prose of chapters 1 to 12, and chapters 13 and 14 as tokens.

    Pages that continue a chapter don't belong to it, so that a new one changes nothing;
    an edited chapter does. "own tokens" in the record says how long the text was.
    """
    texts = {own.name: own.text for own in read_own_texts(NOTEBOOKS)}
    prose = [
        text
        for name, text in texts.items()
        if (chapter := re.match(r"(\d\d)_", name)) and 1 <= int(chapter[1]) <= 14
    ]
    return tuple(prose[:12]), encode(prose[12:])


@cache
def old_texts() -> tuple[Tensor, Tensor]:
    """Return a mixture of what factbook-base has read, and its held-out articles."""
    corpus = load_corpus()
    documents = [*corpus.sources["wikipedia"], *corpus.sources["facts"]]
    random.Random(0).shuffle(documents)
    return encode(documents), encode(corpus.held_out)


def facts_kept(model: DecoderLM, count: int) -> float:
    """Return the share of the facts it was trained on that a model completes."""
    tokenizer, told = factbook()[1], load_corpus().split.told
    chosen = random.Random(0).sample(list(told), count)
    end = tokenizer.special_tokens[END_OF_TEXT]
    return sum(complete_facts(model, tokenizer, chosen, end)) / count


PERSONAL = {
    "LoRA": PersonalSettings(learning_rate=1e-2),
    "LoRA, 20% old text": PersonalSettings(learning_rate=1e-2, old_share=0.2),
    "LoRA, a third of the rate": PersonalSettings(learning_rate=3e-3),
    "all weights": PersonalSettings(lora=None, learning_rate=3e-3),
    "all weights, 20% old text": PersonalSettings(
        lora=None, learning_rate=3e-3, old_share=0.2
    ),
    "all weights, a third of the rate": PersonalSettings(lora=None, learning_rate=1e-3),
}
"""The highest of the rates 0.001, 0.003, 0.01 that learned the own text best, and the
next smaller one.
"""


def personal(seed: int, small: bool) -> dict:
    model, _ = factbook()
    prose, held_out = own_texts()
    own, (old, articles) = encode(prose), old_texts()
    scored, facts = (600, 4) if small else (SCORED, 200)
    measured: dict = {
        "own tokens": len(own),
        "scored tokens": scored,
        "facts": facts,
        "facts before": facts_kept(model, facts),
    }
    for name, settings in PERSONAL.items():
        if small:
            settings = PersonalSettings(
                settings.lora, 2, learning_rate=0.001, old_share=settings.old_share
            )
        start = time.process_time()
        tuned = personalize(model, own, settings, old=old, seed=seed, progress=False)
        seconds = time.process_time() - start
        trained = trained_parameter_count(tuned)
        length = settings.context_length
        changes = {
            kind: loss_change(model, tuned, text[:scored], length)
            for kind, text in (("own", held_out), ("old", articles))
        }
        measured[name] = {
            "trained weights": trained,
            "steps": settings.steps,
            "own before": round(changes["own"].before, 4),
            "own after": round(changes["own"].after, 4),
            "old before": round(changes["old"].before, 4),
            "old after": round(changes["old"].after, 4),
            "facts after": facts_kept(tuned, facts),
            "training seconds": round(seconds, 1),
        }
        if settings.lora is not None:
            ids = held_out[None, :length]
            with torch.no_grad():
                apart = tuned(ids)
                fold_lora(tuned)
                difference = float((tuned(ids) - apart).abs().max())
            measured[name]["merged minus adapter"] = difference
    return measured


# Smaller models


@cache
def shakespeare() -> tuple[DecoderLM, Tensor, Tensor]:
    model, tokenizer = load("shakespeare")
    plays = load_shakespeare()
    train, held_out = (
        torch.tensor(tokenizer.encode(text)) for text in (plays.train, plays.validation)
    )
    return model.eval(), train, held_out


GENTLE = OptimizerSettings(
    matrix_lr=0.005, embedding_lr=0.001, head_lr=0.0005, vector_lr=0.003, momentum=0.9
)
"""A sixth of the rates that trained the model."""


def pruning(seed: int, small: bool) -> dict:
    model, train, held_out = shakespeare()
    steps, scored = (1, 600) if small else (30, SCORED // 2)
    calibration = next(iter(TokenBatches(train, 127, 16, seed)))[0]

    def loss(pruned: DecoderLM) -> float:
        return round(held_out_loss(pruned, held_out[:scored]), 4)

    def healed(pruned: DecoderLM, masks: dict) -> float:
        batches = TokenBatches(train, 128, 8, seed)
        optimizer = build_optimizer(pruned, GENTLE)
        apply_masks(pruned, masks)
        pruned.train()
        for _, batch in zip(range(steps), batches, strict=False):
            train_step(pruned, batch, language_model_loss, optimizer)
            apply_masks(pruned, masks)
        return loss(pruned.eval())

    whole = deepcopy(model)
    measured: dict = {
        "weights": model.parameter_count(),
        "steps of healing": steps,
        "scored characters": scored,
        "unpruned": loss(model),
        "unpruned, trained on": healed(whole, {}),
    }
    masks = {
        f"{kind}, {share:.0%}": (make(share), sparse_bits_per_weight(share, 8))
        for share in (0.3, 0.5, 0.7)
        for kind, make in (
            ("magnitude", lambda share: magnitude_masks(model, share)),
            ("activation", lambda share: activation_masks(model, calibration, share)),
        )
    }
    masks["2 of 4, 50%"] = (pattern_masks(model), 0.5 * (8 + 2))
    for name, (mask, bits) in masks.items():
        pruned = deepcopy(model)
        apply_masks(pruned, mask)
        measured[name] = {"before": loss(pruned), "bits per weight": round(bits, 2)}
        if name == "magnitude, 50%":
            measured[name]["healed"] = healed(pruned, mask)
    scores = unit_scores(model, calibration).hidden
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(scores.shape, generator=generator)
    for width in (448, 320):
        for kind, values in (("Taylor", scores), ("random", chance)):
            pruned = narrow_feed_forward(model, values, width)
            entry = {"weights": pruned.parameter_count(), "before": loss(pruned)}
            if width == 320:
                entry["healed"] = healed(pruned, {})
            measured[f"{kind} units, {width} of {scores.shape[1]}"] = entry
    influence = block_influence(model, calibration)
    measured["influence"] = [round(value, 4) for value in influence.tolist()]
    without = {
        block: keep_blocks(model, [n for n in range(len(influence)) if n != block])
        for block in range(len(influence))
    }
    measured["without block"] = [loss(pruned) for pruned in without.values()]
    least = int(influence.argmin())
    measured["least influential"] = {
        "block": least,
        "weights": without[least].parameter_count(),
        "healed": healed(without[least], {}),
    }
    return measured


STUDENT = DecoderConfig.fast(
    64, 128, 96, 3, 3, convolution_size=1, pair_features=32, triple_features=0
)


def distillation(seed: int, small: bool) -> dict:
    """Train students on the same windows; the teacher reads each window once."""
    teacher, train, held_out = shakespeare()
    steps, batch, scored = (2, 2, 600) if small else (100, 8, SCORED)
    windows = TokenBatches(train, 128, batch, seed)
    pairs = [next(windows) for _ in range(steps)]
    inputs, targets = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    start = time.process_time()
    with torch.no_grad():
        logits = torch.cat([teacher(rows) for rows, _ in pairs])
    teaching = time.process_time() - start

    def soft_loss(model, ids: Tensor, _: Tensor, teacher_logits: Tensor) -> Tensor:
        return soft_target_loss(model(ids), teacher_logits)

    def hard_loss(model, ids: Tensor, following: Tensor, _: Tensor) -> Tensor:
        return language_model_loss(model, ids, following)

    def trained(
        student: DecoderLM, loss_fn: Callable, count: int, rates: OptimizerSettings
    ) -> dict:
        start = time.process_time()
        fit(
            student,
            TensorBatches((inputs, targets, logits), batch, seed),
            loss_fn,
            build_optimizer(student, rates),
            steps=count,
            schedule=warmup_linear(count, count // 10),
            progress=False,
        )
        seconds = time.process_time() - start
        return {
            "weights": student.parameter_count(),
            "steps": count,
            "nats": round(held_out_loss(student, held_out[:scored]), 4),
            "seconds": round(seconds, 1),
        }

    fast = OptimizerSettings(0.03, None, 0.01, 0.005, 0.03, 0.9)
    measured: dict = {
        "teacher's weights": teacher.parameter_count(),
        "teacher": round(held_out_loss(teacher, held_out[:scored]), 4),
        "teacher's seconds": round(teaching, 1),
        "hard labels": trained(DecoderLM(STUDENT, seed), hard_loss, steps, fast),
        "soft targets": trained(DecoderLM(STUDENT, seed), soft_loss, steps, fast),
    }
    per_step = measured["hard labels"]["seconds"] / steps or 1
    longer = steps + round(teaching / per_step)
    measured["hard labels, equal time"] = trained(
        DecoderLM(STUDENT, seed), hard_loss, longer, fast
    )
    scores = unit_scores(teacher, inputs[:16]).hidden
    pruned = keep_blocks(narrow_feed_forward(teacher, scores, 160), [0])
    for name, loss_fn in (("hard labels", hard_loss), ("soft targets", soft_loss)):
        start_from = deepcopy(pruned)
        measured[f"pruned teacher, {name}"] = trained(start_from, loss_fn, steps, fast)
    measured["pruned teacher"] = round(held_out_loss(pruned, held_out[:scored]), 4)
    return measured


# Federated


CLIENTS, WINDOW = 8, 64
SMALL = DecoderConfig.fast(64, WINDOW, 64, 2, 2, pair_features=16)
LOCAL_RATE = 3e-3


@cache
def plays() -> tuple[CharacterTokenizer, tuple[str, ...], Tensor]:
    split = load_shakespeare()
    tokenizer = CharacterTokenizer.from_text(split.train)
    held_out = torch.tensor(tokenizer.encode(split.validation))
    return tokenizer, split.train_titles, held_out


@cache
def play(title: str) -> Tensor:
    return torch.tensor(plays()[0].encode(load_shakespeare([title]).validation))


def clients_of(seed: int) -> dict[str, list[Tensor]]:
    """Return plays as clients, and the same text dealt out in pieces of 512."""
    titles = random.Random(seed).sample(plays()[1], CLIENTS)
    unequal = [play(title) for title in titles]
    pieces = list(torch.cat(unequal).split(512))
    random.Random(seed).shuffle(pieces)
    equal = [torch.cat(pieces[client::CLIENTS]) for client in range(CLIENTS)]
    return {"plays": unequal, "equal": equal}


def federated(seed: int, small: bool) -> dict:
    steps, scored = (20, 600) if small else (160, SCORED)
    settled = clients_of(seed)
    everything = torch.cat(settled["plays"])
    held_out = plays()[2][:scored]

    def run(clients: Sequence[Tensor], local_steps: int, batch: int) -> float:
        model = DecoderLM(SMALL, seed)
        settings = FederatedSettings(steps // local_steps, local_steps, batch, WINDOW)
        train_federated(model, clients, adamw(LOCAL_RATE), settings, seed=seed)
        return round(held_out_loss(model, held_out), 4)

    measured: dict = {
        "clients": CLIENTS,
        "characters of the clients": [len(text) for text in settled["plays"]],
        "steps": steps,
        "central": run([everything], steps, 32),
        "one client alone": run(settled["plays"][:1], steps, 4),
    }
    for kind, clients in settled.items():
        measured[kind] = {
            str(local): run(clients, local, 4) for local in (5, 20) if steps >= local
        }
    measured["counts"] = {
        "one client alone": count_loss(settled["plays"][:1], held_out),
        "added up": count_loss(settled["plays"], held_out),
    }
    return measured


def count_loss(clients: Sequence[Tensor], held_out: Tensor, order: int = 5) -> float:
    """Return the loss of the clients' n-gram counts, added up: each order is smoothed
    towards the one below, with five pseudo-counts.
    """
    counts: Counter = Counter()
    for text in clients:
        symbols = "".join(map(chr, text.tolist()))
        for n in range(order + 1):
            starts = range(len(symbols) - order + 1)
            counts.update(symbols[i + order - n : i + order] for i in starts)
    symbols, losses = "".join(map(chr, held_out.tolist())), []
    for end in range(order, len(symbols) + 1):
        share = 1 / SMALL.vocab_size
        for n in range(1, order + 1):
            seen = counts[symbols[end - n : end - 1]]
            share = (counts[symbols[end - n : end]] + 5 * share) / (seen + 5)
        losses.append(-math.log(share))
    return round(sum(losses) / len(losses), 4)


def leakage(seed: int, small: bool) -> dict:
    """Recover verses from one gradient, and rank the rows of pairs by their norms."""
    model, _, held_out = shakespeare()
    generator = torch.Generator().manual_seed(seed)
    count = 1 if small else 6
    commonest = int(held_out.mode().values)
    measured: dict = {"verses": count}
    for length in (16,) if small else (16, 32, 48):
        starts = torch.randint(len(held_out) - length, (count,), generator=generator)
        exact, right, guessed = 0, 0.0, 0.0
        for start in starts.tolist():
            text = held_out[start : start + length]
            read = text[:-1]  # the last character is predicted and never read
            try:
                found = recover_text(model, gradient_of(model, text), length)
            except ValueError:
                found = torch.full_like(read, commonest)
            equal = (found == read).float().mean().item()
            exact += equal == 1
            right += equal / count
            guessed += (read == commonest).float().mean().item() / count
        measured[f"{length} characters"] = {
            "verbatim": exact,
            "characters right": round(right, 4),
            "always a space": round(guessed, 4),
        }
    measured["rows of pairs"] = ranked_rows(seed, small)
    return measured


def ranked_rows(seed: int, small: bool) -> dict:
    """Return the share of the pairs in one client's windows that are among as many
    rows of the table that have changed most, after some local steps.

    Common pairs can be guessed without any update; the counts in other plays are that
    baseline.
    """
    model, steps = DecoderLM(SMALL, seed), 5
    size, table = SMALL.vocab_size, "ngram_embedding.tables.2.weight"
    texts = [text[: 4 * WINDOW] for text in clients_of(seed)["plays"]]
    batches = TokenBatches(texts[0], WINDOW, 4, seed)
    windows = torch.cat([next(batches)[0] for _ in range(steps)])
    present = pair_counts(windows, size) > 0
    updates = [
        local_update(
            model, TokenBatches(text, WINDOW, 4, seed), steps, adamw(LOCAL_RATE)
        )[0]
        for text in texts
    ]
    clip = median_norm(updates)
    generator = torch.Generator().manual_seed(seed)

    def score(rows: Tensor) -> float:
        guessed = rows.topk(int(present.sum())).indices
        return round(present[guessed].float().mean().item(), 4)

    measured: dict = {
        "pairs": int(present.sum()),
        "chance": round(present.float().mean().item(), 4),
        "guess by frequency": score(pair_counts(plays()[2][None], size).float()),
        "one client": score(row_norms(updates[0], table)),
    }
    average = federated_average(updates, [1] * len(updates))
    measured["sum of all clients"] = score(row_norms(average, table))
    for noise in NOISES:
        privacy = PrivacySettings(clip, noise, 1.0)
        for name, sent in (
            ("one client", updates[:1]),
            ("sum of all clients", updates),
        ):
            noisy = private_average(sent, privacy, len(sent), generator)
            measured[f"{name}, noise {noise}"] = score(row_norms(noisy, table))
    return measured


def pair_counts(windows: Tensor, size: int) -> Tensor:
    """Return how often each pair occurs; token 0 stands before each window."""
    before = torch.cat((torch.zeros_like(windows[:, :1]), windows[:, :-1]), dim=1)
    return torch.bincount((before * size + windows).flatten(), minlength=size**2)


def median_norm(updates: Sequence[dict[str, Tensor]]) -> float:
    norms = [
        sum(float(value.square().sum()) for value in update.values()) ** 0.5
        for update in updates
    ]
    return sorted(norms)[len(norms) // 2]


NOISES = (0.003, 0.01, 0.03, 0.1)


def price(seed: int, small: bool) -> dict:
    """Train with noise on the sum of the clipped updates."""
    rounds, scored = (2, 600) if small else (32, SCORED)
    clients = clients_of(seed)["plays"]
    held_out = plays()[2][:scored]
    first = DecoderLM(SMALL, seed)
    clip = median_norm(
        [
            local_update(
                first, TokenBatches(text, WINDOW, 4, seed), 5, adamw(LOCAL_RATE)
            )[0]
            for text in clients
        ]
    )
    measured: dict = {"clip norm": round(clip, 4), "rounds": rounds}
    for noise in (0.0, *NOISES):
        model = DecoderLM(SMALL, seed)
        privacy = PrivacySettings(clip, noise, 1.0)
        settings = FederatedSettings(rounds, 5, 4, WINDOW, privacy=privacy)
        train_federated(model, clients, adamw(LOCAL_RATE), settings, seed=seed)
        measured[f"noise {noise}"] = {
            "nats": round(held_out_loss(model, held_out), 4),
            # With all clients in each round, noise is in units of one client's update.
            "epsilon": round(epsilon(1.0, noise, rounds, 1e-5), 1) if noise else None,
        }
    return measured


# Canaries


NAMES = ["Adam", "Bess", "Carl", "Dora", "Emil", "Faye", "Gwen", "Hans", "Iris"]
COPIES = (0, 4, 16)
PRIVATE = PrivacySettings(clip_norm=1.0, noise_multiplier=0.6, sampling_rate=0.06)


def with_secrets(seed: int, small: bool) -> tuple[Sequence[Canary], Tensor]:
    """Return secrets, and the personal text in which they are planted, as tokens."""
    prose, _ = own_texts()
    planted = draw_canaries(NAMES[: 3 if small else None], COPIES, seed)
    text = insert_canaries("\n".join(prose)[:60_000], planted, seed)
    return planted, encode([text])


def own_loss(model: DecoderLM, small: bool) -> float:
    held_out = own_texts()[1][: 600 if small else SCORED]
    return round(evaluate_language_model(model, held_out, 128).nats_per_token, 4)


def measure_secrets(tuned: DecoderLM, planted: Sequence[Canary], small: bool) -> dict:
    """Return what an adapter has learned of the style and of the secrets."""
    fold_lora(tuned)
    encoder = factbook()[1].encode
    bits: dict[str, list[float]] = {str(copies): [] for copies in COPIES}
    recited = dict.fromkeys(bits, 0)
    for secret in planted:
        found = exposure(tuned, secret, encoder)
        bits[str(secret.copies)].append(round(found.bits, 2))
        recited[str(secret.copies)] += extracted(tuned, secret, encoder)
    return {
        "own before": own_loss(factbook()[0], small),
        "own after": own_loss(tuned, small),
        "exposure": bits,
        "recited": recited,
    }


def ordinary(name: str, own: Tensor, steps: int, seed: int) -> DecoderLM:
    settings = PersonalSettings(
        PERSONAL[name].lora, steps, learning_rate=PERSONAL[name].learning_rate
    )
    return personalize(factbook()[0], own, settings, seed=seed, progress=False)


def private_adapter(own: Tensor, steps: int, seed: int) -> tuple[DecoderLM, dict]:
    """Return a model with an adapter trained by DP-SGD, and the guarantee."""
    private = deepcopy(factbook()[0])
    add_lora(
        private, LoRAConfig(8, 16, ALL_MATRICES), torch.Generator().manual_seed(seed)
    )
    rows = own[: len(own) // 129 * 129].view(-1, 129)
    trained = [weight for weight in private.parameters() if weight.requires_grad]
    fit_privately(
        private,
        (rows[:, :-1], rows[:, 1:]),
        language_model_loss,
        AdamW(trained, lr=3e-3),
        PRIVATE,
        steps=steps,
        seed=seed,
        progress=False,
    )
    return private, {
        "records": len(rows),
        "noise": PRIVATE.noise_multiplier,
        "epsilon": round(
            epsilon(PRIVATE.sampling_rate, PRIVATE.noise_multiplier, steps, 1e-3), 2
        ),
    }


def canary(seed: int, small: bool) -> dict:
    """Plant secrets in a personal text, and look for them in what learned from it."""
    planted, own = with_secrets(seed, small)
    steps = 2 if small else 80
    measured: dict = {"tokens": len(own), "steps": steps}
    for name in ("LoRA", "all weights"):
        tuned = ordinary(name, own, steps, seed)
        measured[name] = measure_secrets(tuned, planted, small)
    private, guarantee = private_adapter(own, steps, seed)
    measured["private LoRA"] = measure_secrets(private, planted, small) | guarantee
    return measured


def stopped(seed: int, small: bool) -> dict:
    """Compare private training with ordinary training that takes as few steps as will
    learn as much of the held-out own text.
    """
    planted, own = with_secrets(seed, small)
    steps = 2 if small else 80
    private, guarantee = private_adapter(own, steps, seed)
    found = measure_secrets(private, planted, small) | {"steps": steps} | guarantee
    for few in range(1, steps + 1):
        early = ordinary("LoRA", own, few, seed)
        if own_loss(early, small) <= found["own after"]:
            break
    whole = ordinary("LoRA", own, steps, seed)
    return {
        "private LoRA": found,
        "LoRA, stopped early": measure_secrets(early, planted, small) | {"steps": few},
        "LoRA": measure_secrets(whole, planted, small) | {"steps": steps},
    }


# ONNX


def onnx(seed: int, small: bool) -> dict:
    """Continue a verse with onnxruntime and with PyTorch, both with a KV cache."""
    model, _, held_out = shakespeare()
    count = 8 if small else 100
    start = random.Random(seed).randrange(len(held_out) - 8)
    prompt = held_out[start : start + 8]

    def timed(write: Callable[[], object]) -> float:
        write()  # once to warm up
        begin = time.process_time()
        write()
        return count / (time.process_time() - begin)

    with TemporaryDirectory() as folder:
        step = OnnxStep(export_step(model, Path(folder) / "step.onnx"))
        rates = {
            "onnxruntime": timed(lambda: step.generate(prompt.tolist(), count)),
            "PyTorch": timed(
                lambda: generate(model, prompt[None], count, temperature=0)
            ),
        }
    return {
        "tokens per CPU second": {name: round(rate) for name, rate in rates.items()},
        "ratio": round(rates["onnxruntime"] / rates["PyTorch"], 2),
    }


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "personal": personal,
    "pruning": pruning,
    "distillation": distillation,
    "federated": federated,
    "leakage": leakage,
    "price": price,
    "canary": canary,
    "stopped": stopped,
    "onnx": onnx,
}


def main() -> None:
    whole = run_parts("edge", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("edge", whole)


if __name__ == "__main__":
    main()
