"""What models memorize, who can tell, and what helps: chapter 25's measurements.

    canaries     exposure and recitation against copies, and after de-duplication
    membership   four attacks after seven epochs and after one; the wrong comparison
    blind        two tests of the same windows that do without the attacked model
    private      DP-SGD: losses, epsilon, and the exposure of canaries
    stopped      DP-SGD against training that stops early, at the same loss
    watermark    SmolLM2's texts without a mark, with green lists, by tournament
    false_marks  z-scores of real text, every pair counted and each pair once
    unlearning   one country forgotten in three ways, against a model without it
    diffusion    an image that was in the training set 1, 4, 16 and 64 times

    OMP_NUM_THREADS=1 python benchmarks/memorization.py --folder runs --parts canaries

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. All is computed on the CPU.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from tournament_sampling import TournamentSampling
from unlearning import (
    gradient_ascent_loss,
    gradient_difference_loss,
    npo_loss,
    relearn,
    unlearn,
)

from genai_tutorial.alignment import Rows, encode_example, pad_examples, supervised_loss
from genai_tutorial.corpus import deduplicate
from genai_tutorial.data import (
    load_fact_split,
    load_mnist_split,
    load_shakespeare,
    load_wikipedia,
)
from genai_tutorial.diffusion import VELOCITY, UNet, diffusion_loss, sample_images
from genai_tutorial.generation import (
    GreenListWatermark,
    detection_z_score,
    generate,
    generate_rollouts,
)
from genai_tutorial.metrics import (
    auroc,
    copy_test,
    nearest_neighbours,
    true_positive_rate_at,
)
from genai_tutorial.pretrained import load_smollm2, load_smollm2_tokenizer
from genai_tutorial.recipes import SCHEDULE, load
from genai_tutorial.recipes.digit_models import LIVE
from genai_tutorial.runtime import keep_images, keep_record, run_parts
from genai_tutorial.safety import (
    Canary,
    draw_canaries,
    exposure,
    extracted,
    insert_canaries,
    loss_attack,
    min_k_attack,
    token_losses,
    zlib_attack,
)
from genai_tutorial.tasks.assistant import (
    CHAT,
    ask_facts,
    demonstrate,
    encode_demonstrations,
    exact_match_rate,
    exam_questions,
)
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.training import (
    EMA,
    AdamW,
    PrivacySettings,
    PrivateHistory,
    TensorBatches,
    TokenBatches,
    build_optimizer,
    epsilon,
    fit,
    fit_privately,
    warmup_linear,
    warmup_stable_decay,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, language_model_loss

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


def train(model: DecoderLM, batches, steps: int) -> float:
    """Train a model in place and return the mean loss of the last 20 steps."""
    history = fit(
        model,
        batches,
        language_model_loss,
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
    plays, steps = load_shakespeare(), 5 if small else 300
    reference = byte_model(seed + 100)
    far = windows_of(plays.train[2_000_000:2_700_000])[: steps * BATCH]
    train(reference, shifted(far, BATCH, seed), steps)
    measured: dict = {"windows": COUNT, "bytes each": WINDOW}
    for name, epochs in EPOCHS.items():
        members, sets = membership_sets(seed, epochs, steps)
        model = byte_model(seed)
        loss = train(model, shifted(members, BATCH, seed), steps)
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
        if name == "seven epochs" and seed == 0:  # for the figure
            measured[name]["scores"] = {
                kind: [round(s, 3) for s in scores[kind]["loss"].tolist()]
                for kind in sets
            }
    return measured


BATCH, COUNT = 16, 600
EPOCHS = {"seven epochs": 7.5, "one epoch": 1}


def membership_sets(
    seed: int, epochs: float, steps: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the windows that a model reads, and the three sets to compare."""
    plays = load_shakespeare()
    pages = windows_of(plays.train[:1_228_800]).view(-1, 8, WINDOW)
    read, unread = pages[0::2].flatten(0, 1), pages[1::2].flatten(0, 1)
    members = read[: int(steps * BATCH / epochs)]
    generator = torch.Generator().manual_seed(seed)
    sets = {
        "members": members,
        "unread pages": unread[: len(members)],
        "another play": windows_of(plays.validation),
    }
    return members, {
        kind: rows[torch.randperm(len(rows), generator=generator)][:COUNT]
        for kind, rows in sets.items()
    }


def blind(seed: int, small: bool) -> dict:
    """Tell members from others without the attacked model: by a bigram's loss that has
    read other plays, and by bigrams of labelled halves of the two sets.
    """
    elsewhere = windows_of(load_shakespeare().train[2_000_000:2_700_000])
    measured: dict = {"windows": COUNT}
    for name, epochs in EPOCHS.items():
        _, sets = membership_sets(seed, epochs, 300)
        scores = {kind: bigram_scores(elsewhere, rows) for kind, rows in sets.items()}
        measured[name] = {}
        for kind in ("unread pages", "another play"):
            labelled, tested = zip(
                *(torch.chunk(sets[one], 2) for one in ("members", kind)), strict=True
            )
            apart = [
                bigram_scores(labelled[0], rows) - bigram_scores(labelled[1], rows)
                for rows in tested
            ]
            measured[name][kind] = {
                "bigram": separation(scores["members"], scores[kind]),
                "labelled bigrams": separation(*apart),
            }
    return measured


def bigram_scores(read: Tensor, rows: Tensor) -> Tensor:
    """Return each row's mean log-probability under counts of pairs, one added."""
    pairs = read[:, :-1] * 256 + read[:, 1:]
    counts = torch.bincount(pairs.flatten(), minlength=256**2).view(256, 256) + 1.0
    log_probs = (counts / counts.sum(dim=1, keepdim=True)).log()
    return log_probs[rows[:, :-1], rows[:, 1:]].mean(dim=1)


def shifted(windows: Tensor, batch_size: int, seed: int) -> TensorBatches:
    """Return batches of whole windows, each once per epoch."""
    return TensorBatches((windows[:, :-1], windows[:, 1:]), batch_size, seed)


def attacks(model: DecoderLM, reference: DecoderLM, rows: Tensor) -> dict[str, Tensor]:
    losses = token_losses(model, rows)
    return {
        "loss": loss_attack(losses),
        "zlib": zlib_attack(losses, [bytes(row) for row in rows.tolist()]),
        "min-k": min_k_attack(losses),
        "reference": (token_losses(reference, rows) - losses).mean(dim=1),
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
    steps = 3 if small else 80
    records, planted = private_records(seed)
    other_play = cut(load_shakespeare().validation[:24_000])
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
        model, history = train_privately(records, clip, sigma, steps, seed)
        bound = epsilon(RATE, sigma, steps, 1 / RECORDS_READ)
        measured[name] = {
            "epsilon": round(bound, 4) if sigma else None,
            "held-out loss": record_loss(model, other_play),
            "training loss": record_loss(model, records),
            "median norm": round(history.median_norms[-1], 3),
            **measure_canaries(model, planted),
        }
    return measured


def stopped(seed: int, small: bool) -> dict:
    """Compare private training with training that is not private and stops as soon as
    its loss on unread pages of the same play is as low.
    """
    steps = 3 if small else 80
    records, planted = private_records(seed)
    plays, read = load_shakespeare(), RECORDS_READ * RECORD_BYTES
    unread, other = cut(plays.train[read : read + 24_000]), plays.validation[:24_000]

    def measure(model: DecoderLM, steps: int) -> dict:
        return {
            "steps": steps,
            "unread loss": record_loss(model, unread),
            "another play's loss": record_loss(model, cut(other)),
            "training loss": record_loss(model, records),
            **measure_canaries(model, planted),
        }

    model, _ = train_privately(records, 1.0, 1.0, steps, seed)
    measured: dict = {"sigma 1.0": measure(model, steps)}
    wanted, taken = measured["sigma 1.0"]["unread loss"], 0

    def watch(model: DecoderLM) -> None:
        nonlocal taken
        taken += 1
        if taken < steps // 4 or "stopped early" in measured:
            return
        if record_loss(model, unread) <= wanted:
            measured["stopped early"] = measure(model, taken)

    model, _ = train_privately(records, float("inf"), 0.0, steps, seed, watch)
    measured["not private"] = measure(model, steps)
    return measured


RATE = 64 / RECORDS_READ
"""The probability with which a record takes part in a step."""


def cut(text: str) -> Tensor:
    return torch.tensor(to_bytes(text)).view(-1, RECORD_BYTES)


def private_records(seed: int) -> tuple[Tensor, list[Canary]]:
    """Return the records, and the canaries that are among them."""
    records = cut(load_shakespeare().train[: RECORDS_READ * RECORD_BYTES]).clone()
    planted = draw_canaries(NAMES[:12], (0, 1, 16), seed)
    generator = torch.Generator().manual_seed(seed)
    places = torch.randperm(RECORDS_READ, generator=generator).tolist()
    for canary in planted:
        line = to_bytes(f"{canary.prompt}{canary.secret}.\n")
        for _ in range(canary.copies):
            records[places.pop(), : len(line)] = torch.tensor(line)
    return records, planted


class WatchedAdam(torch.optim.Adam):
    """Adam that calls a function after every step, so that training can be watched."""

    after: Callable[[], None] | None = None

    def step(self, closure=None):
        super().step(closure)
        if self.after:
            self.after()


def train_privately(
    records: Tensor, clip: float, sigma: float, steps: int, seed: int, watch=None
) -> tuple[DecoderLM, PrivateHistory]:
    """Train a small model; `watch` is called with it after every step."""
    model = DecoderLM(
        DecoderConfig.fast(
            vocab_size=128, context_length=RECORD_BYTES, width=64, layers=2, heads=2
        ),
        seed,
    )
    optimizer = WatchedAdam(model.parameters(), lr=3e-3, betas=(0.9, 0.99))
    optimizer.after = partial(watch, model) if watch else None
    history = fit_privately(
        model,
        (records[:, :-1], records[:, 1:]),
        language_model_loss,
        optimizer,
        PrivacySettings(clip, sigma, RATE),
        steps=steps,
        seed=seed,
        progress=False,
    )
    return model, history


def record_loss(model: DecoderLM, records: Tensor) -> float:
    return round(token_losses(model, records).mean().item(), 4)


# All take the same number of tokens, so that they fit into one batch.
PROMPTS = (
    "Explain why the sky is blue.",
    "Write about a long train journey.",
    "Explain how bees make their honey.",
    "Describe a storm on the lake.",
    "Describe a house in the mountains.",
    "Explain how boats stay afloat.",
    "Explain how a bridge is built.",
    "Describe a garden in the spring.",
)
TOP_K = 200
LAYERS = 20


DELTAS = (0.5, 1.0, 2.0, 4.0)


def marks(key: int, vocab_size: int) -> dict:
    """Return the marks by name; None leaves the text unmarked."""
    return {
        "none": None,
        **{
            f"green list, delta {delta:g}": GreenListWatermark(
                vocab_size, delta=delta, key=key
            )
            for delta in DELTAS
        },
        "tournament": TournamentSampling(key.to_bytes(8, "big"), LAYERS, top_k=TOP_K),
    }


def key_of(seed: int) -> int:
    return 15_485_863 + 1_000_003 * seed


def watermark(seed: int, small: bool) -> dict:
    """Let SmolLM2 write eight texts with each mark, and look for both kinds of mark."""
    model, tokenizer = load_smollm2()
    length = 12 if small else 100
    prompts = encode_chats(tokenizer, PROMPTS)
    named = marks(key_of(seed), model.config.vocab_size)
    green, played = named["green list, delta 2"], named["tournament"]
    measured: dict = {"texts": len(PROMPTS), "tokens": length, "top k": TOP_K}
    for name, mark in named.items():
        texts, nats, seconds = write(model, tokenizer, prompts, mark, length, seed)
        detector = played if name == "tournament" else green
        measured[name] = {
            "perplexity": round(math.exp(nats.mean()), 3),
            "perplexity of each": [round(math.exp(n), 3) for n in nats.mean(dim=1)],
            "seconds": seconds,
            "z": {
                str(n): [round(detector.detect(t[:n]).z_score, 2) for t in texts]
                for n in (25, 50, length)
            },
            "share": [round(detector.detect(text).share, 4) for text in texts],
            "text": tokenizer.decode(texts[0].tolist()),
        }
        if seed == 0:  # for the figure
            measured[name]["ids"] = texts[0].tolist()
            measured[name]["green"] = green.is_green(texts[0]).tolist()
        if name == "none":
            measured[name]["z of tournament"] = [
                round(played.detect(text).z_score, 2) for text in texts
            ]
        if name in ("green list, delta 2", "tournament"):
            other = other_choices(model, tokenizer, texts)
            measured[name]["edited"] = {
                str(share): [
                    round(detector.detect(edited).z_score, 2)
                    for edited in edit(tokenizer, texts, other, share, seed)
                ]
                for share in (0.0, 0.1, 0.2, 0.4, 0.6)
            }
        if name == "green list, delta 2":
            human = torch.tensor(tokenizer.encode(load_wikipedia().text[:20_000]))
            measured[name]["half human"] = [
                round(green.detect(torch.cat((text[: length // 2], piece))).z_score, 2)
                for text, piece in zip(texts, human.split(length // 2), strict=False)
            ]
            said, measured[name]["paraphrase"] = paraphrases(
                model, tokenizer, texts, length, seed
            )
            measured[name]["paraphrased"] = [
                round(green.detect(text).z_score, 2) for text in said
            ]
    recite = "Count from 1 to 40 and write nothing but the numbers."
    rows = encode_chats(tokenizer, [recite] * 4)
    texts, nats, _ = write(model, tokenizer, rows, green, min(length, 60), seed)
    measured["low entropy"] = {
        "perplexity": round(math.exp(nats.mean()), 3),
        "z": [round(green.detect(text).z_score, 2) for text in texts],
        "text": tokenizer.decode(texts[0].tolist()),
    }
    return measured


def encode_chats(tokenizer: BPETokenizer, prompts: Sequence[str]) -> Tensor:
    return torch.tensor(
        [SMOLLM2_CHAT.encode(tokenizer, [Message("user", text)]) for text in prompts]
    )


@torch.no_grad()
def write(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompts: Tensor,
    mark: Callable | None,
    length: int,
    seed: int,
) -> tuple[Tensor, Tensor, float]:
    """Return texts of exactly this length, the unmarked model's nats for each token,
    and the seconds of writing.
    """
    ends = [0, tokenizer.special_tokens[SMOLLM2_CHAT.end]]

    def process(logits: Tensor, ids: Tensor) -> Tensor:
        logits = logits.index_fill(1, torch.tensor(ends), -torch.inf)
        return logits if mark is None else mark(logits, ids)

    start = time.process_time()
    ids = generate(
        model,
        prompts,
        length,
        top_k=None if isinstance(mark, TournamentSampling) else TOP_K,
        processor=process,
        generator=torch.Generator().manual_seed(seed),
    )
    seconds = round(time.process_time() - start, 1)
    begun = prompts.shape[1]
    nats = token_losses(model, ids, batch_size=1)[:, begun - 1 :]
    return ids[:, begun:], nats, seconds


def paraphrases(
    model: DecoderLM, tokenizer: BPETokenizer, texts: Tensor, length: int, seed: int
) -> tuple[list[Tensor], str]:
    """Let SmolLM2 itself say each text in other words, without a mark."""
    asked = [
        "Say the following text in your own words.\n\n" + tokenizer.decode(row)
        for row in texts.tolist()
    ]
    rollouts = generate_rollouts(
        model,
        [SMOLLM2_CHAT.encode(tokenizer, [Message("user", text)]) for text in asked],
        length,
        end_token=tokenizer.special_tokens[SMOLLM2_CHAT.end],
        top_k=TOP_K,
        generator=torch.Generator().manual_seed(seed),
    )
    answers = rollouts.answers()
    return [torch.tensor(answer) for answer in answers], tokenizer.decode(answers[0])


@torch.no_grad()
def other_choices(model: DecoderLM, tokenizer: BPETokenizer, texts: Tensor) -> Tensor:
    """Return for each token the likeliest other one, given the text before it; the
    first token stays, and no special token is chosen.
    """
    special = torch.tensor(sorted(tokenizer.special_tokens.values()))
    likely = torch.cat(
        [
            model(row[None])[:, :-1].index_fill(2, special, -torch.inf).topk(2).indices
            for row in texts
        ]
    )
    second = torch.where(likely[..., 0] == texts[:, 1:], likely[..., 1], likely[..., 0])
    return torch.cat((texts[:, :1], second), dim=1)


def edit(
    tokenizer: BPETokenizer, texts: Tensor, other: Tensor, share: float, seed: int
) -> list[Tensor]:
    """Replace a share of the tokens, and encode the new text as a detector would."""
    generator = torch.Generator().manual_seed(seed)
    replaced = torch.rand(texts.shape, generator=generator) < share
    return [
        torch.tensor(tokenizer.encode(tokenizer.decode(row), special_as_text=True))
        for row in torch.where(replaced, other, texts).tolist()
    ]


def false_marks(seed: int, small: bool) -> dict:
    """Count how often text that nobody marked is taken for marked text, for one key."""
    tokenizer, length = load_smollm2_tokenizer(), 100
    count = 20 if small else 1000
    articles = load_wikipedia().text
    sources = {
        "plays": load_shakespeare().train[: 500 * count],
        "articles": articles[: 600 * count],
    }
    vocab_size = tokenizer.vocab_size
    named = marks(key_of(seed), vocab_size)
    green, played = named["green list, delta 2"], named["tournament"]
    measured: dict = {"tokens": length}
    for name, text in sources.items():
        tokens = torch.tensor(tokenizer.encode(text))[: count * length]
        pieces = tokens[: len(tokens) // length * length].view(-1, length)
        hits = green.is_green(pieces)
        z_scores = {
            "every pair": [
                detection_z_score(int(row.sum()), len(row), green.gamma) for row in hits
            ],
            "each pair once": [
                score_once(row, piece, green.gamma)
                for row, piece in zip(hits, pieces, strict=True)
            ],
            "tournament": [played.detect(piece).z_score for piece in pieces],
        }
        measured[name] = {"pieces": len(pieces)} | {
            kind: {
                "mean": round(torch.tensor(z).mean().item(), 3),
                "standard deviation": round(torch.tensor(z).std().item(), 3),
                "largest": round(max(z), 2),
                "at least 2": sum(value >= 2 for value in z),
                "at least 3": sum(value >= 3 for value in z),
                "at least 4": sum(value >= 4 for value in z),
            }
            for kind, z in z_scores.items()
        }
    return measured


def score_once(hits: Tensor, piece: Tensor, gamma: float) -> float:
    """Return `GreenListWatermark.detect`'s z-score, without drawing the lists again."""
    distinct = dict(zip(pairwise(piece.tolist()), hits.tolist(), strict=True))
    return detection_z_score(sum(distinct.values()), len(distinct), gamma)


def unlearning(seed: int, small: bool) -> dict:
    """Teach the assistant 20 countries that it has never read of, and forget one.

    The reference is the assistant that was taught the other 19. Relearning shows a
    third of the country's facts again, and the exam asks for the others.
    """
    tokenizer = load("factbook-sft")[1]
    split = load_fact_split()
    countries = sorted({fact.country for fact in split.withheld})
    generator = torch.Generator().manual_seed(seed)
    country = countries[int(torch.randperm(len(countries), generator=generator)[0])]
    forgotten = [fact for fact in split.withheld if fact.country == country]
    others = [fact for fact in split.withheld if fact.country != country]
    shown, hidden = forgotten[: len(forgotten) // 3], forgotten[len(forgotten) // 3 :]
    exams = {
        "forget": list(ask_facts(forgotten, "held-out")),
        "others": exam_questions(others, 100),
        "before": exam_questions(split.told, 100),
    }
    hidden_exam = list(ask_facts(hidden, "held-out"))
    hidden_rows = fact_rows(tokenizer, hidden, 2, seed)

    def measure(model: DecoderLM) -> dict:
        return {
            name: round(exact_match_rate(model, tokenizer, exam), 4)
            for name, exam in exams.items()
        } | {"answer loss": answer_loss(model, hidden_rows)}

    start, rounds = (4, (1, 1)) if small else (40, (10, 20))
    full, without = teach(None, small), teach(country, small)
    forget = fact_rows(tokenizer, forgotten, 8, seed)
    retain = fact_rows(tokenizer, [*others, *taught_before()], 2, seed)
    settings = {"batch_size": 16, "learning_rate": 3e-4, "seed": seed}
    models = {"full": full, "retrained": without}
    measured: dict = {
        "country": country,
        "facts": len(forgotten),
        "questions": {name: len(exam) for name, exam in exams.items()},
        "steps": start,
        "models": {},
    }
    for name, loss in (
        ("gradient ascent", gradient_ascent_loss),
        ("gradient difference", gradient_difference_loss),
        ("NPO", partial(npo_loss, beta=1.0)),
    ):
        early = unlearn(full, loss, forget, retain, steps=start // 4, **settings)
        measured["models"][f"{name}, a quarter of the steps"] = measure(early)
        models[name] = unlearn(full, loss, forget, retain, steps=start, **settings)
    examples = fact_rows(tokenizer, shown, 8, seed)
    for name, model in models.items():
        measured["models"][name] = measure(model)
        if name == "full":
            continue
        done, curve = 0, [[0, *relearned(model, tokenizer, hidden_exam, hidden_rows)]]
        for steps in rounds:
            model = relearn(model, examples, steps=steps, **settings)
            done += steps
            curve.append([done, *relearned(model, tokenizer, hidden_exam, hidden_rows)])
        measured["models"][name]["relearning"] = curve
    return measured


def relearned(
    model: DecoderLM, tokenizer: BPETokenizer, exam: Sequence, rows: Rows
) -> tuple[float, float]:
    """Return the share of right answers and the loss on facts that were not shown."""
    right = exact_match_rate(model, tokenizer, exam)
    return round(right, 4), answer_loss(model, rows)


@torch.no_grad()
def answer_loss(model: DecoderLM, rows: Rows) -> float:
    return round(supervised_loss(model, rows.ids, rows.is_answer).item(), 4)


def taught_before() -> list:
    """Return 200 facts that the assistant knows, so that it forgets none of them."""
    taught = load_fact_split().taught
    order = torch.randperm(len(taught), generator=torch.Generator().manual_seed(0))
    return [taught[place] for place in order[:200].tolist()]


def fact_rows(tokenizer: BPETokenizer, facts: Sequence, per_fact: int, seed: int):
    """Return questions about facts with their answers, one per row."""
    asked = ask_facts(facts, "trained", per_fact=per_fact, seed=seed)
    return pad_examples(
        [
            encode_example(
                CHAT, tokenizer, [Message("user", d.question.text)], f" {d.answer}"
            )
            for d in demonstrate(asked, seed, "sentence")
        ]
    )


@cache
def teach(left_out: str | None, small: bool) -> DecoderLM:
    """Teach the assistant the withheld countries, all but one."""
    model, tokenizer = load("factbook-sft")
    steps = 2 if small else 150
    facts = [f for f in load_fact_split().withheld if f.country != left_out]
    asked = ask_facts([*facts, *taught_before()], "trained", per_fact=4, seed=0)
    rows = encode_demonstrations(tokenizer, demonstrate(asked, 0, "sentence"), 128)
    fit(
        model,
        TensorBatches(rows.tensors, 8, 0),
        supervised_loss,
        AdamW(model.parameters(), lr=1e-3),
        steps=steps,
        schedule=warmup_linear(steps, 1 if small else 10),
        progress=False,
    )
    return model.eval()


LEVELS = (4, 16, 64)
"""How often the repeated digits are in the training set."""
REPEATED = 4
DIGITS = 400


def diffusion(seed: int, small: bool) -> dict:
    """Train on 400 digits, of which twelve are repeated, and look for copies.

    A sample is a copy if its distance to the nearest training digit, relative to that
    to the second nearest, is as small as for 1 in 100 held-out digits.
    """
    steps, count = (2, 20) if small else (320, 600)
    train_set, held_out = load_mnist_split()
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(train_set), generator=generator)
    digits = train_set.images[order[:DIGITS]]
    copies = torch.ones(DIGITS, dtype=torch.long)
    for place, level in enumerate(LEVELS):
        copies[place * REPEATED : (place + 1) * REPEATED] = level
    rows = digits.repeat_interleave(copies, dim=0)
    model = UNet(replace(LIVE.config, classes=None), seed)
    average = EMA(model, LIVE.ema_decay)

    def loss(model: nn.Module, images: Tensor) -> Tensor:
        images = 2 * images[:, None] - 1
        return diffusion_loss(
            model, SCHEDULE, VELOCITY, images, None, generator=generator
        )

    start = time.process_time()
    fit(
        model,
        TensorBatches((rows,), LIVE.batch_size, seed),
        loss,
        build_optimizer(model, LIVE.optimizer),
        steps=steps,
        schedule=warmup_linear(steps, 1 if small else LIVE.warmup_steps),
        ema=average,
        progress=False,
    )
    seconds = round(time.process_time() - start, 1)
    samples = sample_images(
        average.model, SCHEDULE, VELOCITY, None, (count, 1, 28, 28),
        steps=20, seed=seed, batch_size=200,
    )[:, 0]  # fmt: skip
    limit = nearest_ratio(held_out.images, digits)[0].quantile(0.01).item()
    ratios, nearest = nearest_ratio(samples, digits)
    level_of = copies[nearest]
    test = copy_test(samples, digits, held_out.images, seed=seed)
    if seed == 0 and not small:
        keep_pairs(samples, digits, copies)
    return {
        "digits": DIGITS,
        "rows": len(rows),
        "samples": count,
        "training seconds": seconds,
        "limit": round(limit, 4),
        "copies": {
            str(level): {
                "digits": int((copies == level).sum()),
                "share of rows": round(
                    level * int((copies == level).sum()) / len(rows), 4
                ),
                "nearest": int((level_of == level).sum()),
                "copied": int(((level_of == level) & (ratios < limit)).sum()),
            }
            for level in (1, *LEVELS)
        },
        "copy test": {
            "excess": [
                round(value, 4)
                for value in (test.excess, test.interval.low, test.interval.high)
            ],
            "p": test.p_value,
        },
    }


def keep_pairs(samples: Tensor, digits: Tensor, copies: Tensor) -> None:
    """Keep four digits of each level, and the sample that is nearest to each."""
    shown = torch.cat([(copies == level).nonzero()[:4, 0] for level in (1, *LEVELS)])
    nearest = nearest_neighbours(digits[shown], samples).indices[:, 0]
    for kind, images in (("digits", digits[shown]), ("samples", samples[nearest])):
        keep_images("memorization", kind, images[:, None].expand(-1, 3, -1, -1))


def nearest_ratio(images: Tensor, digits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance to the nearest digit over that to the second, and which."""
    found = nearest_neighbours(images, digits, k=2)
    return found.distances[:, 0] / found.distances[:, 1], found.indices[:, 0]


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "canaries": canaries,
    "membership": membership,
    "blind": blind,
    "private": private,
    "stopped": stopped,
    "watermark": watermark,
    "false_marks": false_marks,
    "unlearning": unlearning,
    "diffusion": diffusion,
}


def main() -> None:
    whole = run_parts("memorization", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("memorization", whole)


if __name__ == "__main__":
    main()
