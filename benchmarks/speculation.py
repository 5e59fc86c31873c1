"""Chapter 24's speculative decoding: exactness, drafts, and the passes that they save.

    exactness    the chi-square test of the rule, and of two wrong ones
    drafts       a small draft trained on the text, and on the base model's predictions
    passes       passes of the base model that its draft saves, and the time
    lookup       tokens per pass of SmolLM2 with drafts copied from the prompt

    OMP_NUM_THREADS=1 python benchmarks/speculation.py --folder runs --parts exactness

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. Times are CPU seconds of one thread and
are kept as ratios to one pass over one token, or to plain decoding, in the same run.
"""

import time
from collections.abc import Callable, Sequence
from functools import cache
from statistics import median

import torch
from torch import Tensor

from genai_tutorial.data import load_histories
from genai_tutorial.efficiency import soft_target_loss, top_target_loss
from genai_tutorial.generation import (
    Speculation,
    acceptance_rate,
    expected_tokens,
    generate,
    generate_speculatively,
    generate_with_lookup,
    keep_top_k,
    speculative_accept,
)
from genai_tutorial.metrics import chi_square_test
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.recipes import (
    FACTBOOK_BASE,
    FACTBOOK_DRAFT,
    agreement,
    load,
    load_corpus,
    packed_logits,
    packed_rows,
    teacher_targets,
)
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.assistant import END_OF_TEXT
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.training import build_optimizer, fit, warmup_stable_decay
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    next_token_loss,
)

DRAWS = (500, 2000, 20_000)
RUNS_PER_SEED = 10
TOP_K = 50
PROMPTS = ("During the war, the", "In", "In the 19th century, the")
"""Beginnings that many tokens may follow: of 16, those after which the base model's
entropy is highest. Where one token is nearly certain, no rule can go far wrong.
"""

SMALL = DecoderConfig.llama(
    vocab_size=FACTBOOK_BASE.config.vocab_size,
    context_length=FACTBOOK_BASE.config.context_length,
    width=64,
    layers=1,
    heads=2,
    key_value_heads=None,
    feed_forward_width=172,
    rotary_base=10_000,
    tied_embeddings=True,
)
STEPS, POOL, BATCH = 200, 2048, 32
DRAFTED = (2, 4, 8)
NEW_TOKENS = 64
SIZES = (1, 2, 3, 5, 9)
"""The number of tokens in a pass whose price is measured."""

CHATS = (
    "Why is the sky blue?",
    "Give me three tips for learning a language.",
    "What should I see in Rome?",
    "How does a bicycle stay upright?",
    "Tell me a short story about a lighthouse.",
)
CODE = (
    "returns the n-th Fibonacci number",
    "counts the words in a text",
    "sorts a list by insertion",
    "checks whether a word is a palindrome",
    "computes the mean and the variance of a list",
)


def exactness(seed: int, small: bool) -> dict:
    """Test samples of three rules against the target's own probabilities.

    All tokens that neither model can draw after top-k count as one cell, so that a rule
    can be told the draft's probabilities from before the filter.
    """
    (target, tokenizer), (draft, _) = load("factbook-base"), load("factbook-draft")
    measured = {}
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer.encode(prompt)])
        with torch.no_grad():
            p, q = (model(ids)[0, -1].softmax(dim=-1) for model in (target, draft))
        kept_p, kept_q = keep_top_k(p, TOP_K), keep_top_k(q, TOP_K)
        support = (kept_p + kept_q) > 0
        before = torch.cat((q[support], q[~support].sum()[None]))
        kept_p, kept_q = (
            torch.cat((kept[support], torch.zeros(1))) for kept in (kept_p, kept_q)
        )
        rules = {
            "exact": (kept_q, exact_rule),
            "redraws from p": (kept_q, redrawing_rule),
            "q before top-k": (before, exact_rule),
        }
        measured[prompt] = {
            "entropy": round(float(-(p * p.log()).sum()), 2),
            "acceptance_rate": round(float(acceptance_rate(kept_p, kept_q)), 4),
            "rules": {
                name: test_rule(rule, kept_p, kept_q, told, seed, small)
                for name, (told, rule) in rules.items()
            },
        }
    return {"draws": DRAWS, "top_k": TOP_K, "prompts": measured}


def test_rule(
    rule: Callable[..., tuple[Tensor, Tensor]],
    p: Tensor,
    q: Tensor,
    told: Tensor,
    seed: int,
    small: bool,
) -> dict:
    """Return the p-values of a rule at each number of draws, and its acceptance."""
    p_values: dict[int, list[float]] = {count: [] for count in DRAWS}
    acceptance = []
    for run in range(2 if small else RUNS_PER_SEED):
        generator = torch.Generator().manual_seed(1000 * seed + run)
        for count in DRAWS:
            ids = torch.multinomial(q, count, replacement=True, generator=generator)
            new, accepted = rule(ids, told, p, generator)
            counts = torch.bincount(new, minlength=len(p))
            p_values[count].append(float(f"{chi_square_test(counts, p).p_value:.3g}"))
        acceptance.append(float(accepted.float().mean()))
    return {
        "acceptance": round(sum(acceptance) / len(acceptance), 4),
        "p_values": p_values,
    }


def exact_rule(
    ids: Tensor, q: Tensor, p: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the first token of each round of speculative sampling."""
    rows, size = len(ids), len(p)
    found = speculative_accept(
        ids[:, None], q.expand(rows, 1, size), p.expand(rows, 2, size), generator
    )
    return found.ids[:, 0], found.counts > 0


def redrawing_rule(
    ids: Tensor, q: Tensor, p: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Do the same, but draw from p after a rejection."""
    accepted = torch.rand(len(ids), generator=generator) * q[ids] < p[ids]
    again = torch.multinomial(p, len(ids), replacement=True, generator=generator)
    return torch.where(accepted, ids, again), accepted


def drafts(seed: int, small: bool) -> dict:
    """Train the same small draft on the text and on the base model's predictions."""
    teacher, tokenizer = load("factbook-base")
    end = tokenizer.special_tokens[END_OF_TEXT]
    rows, ids, probabilities = pool(64 if small else POOL)
    steps = 4 if small else STEPS

    def hard(model: DecoderLM, chosen: Tensor) -> Tensor:
        logits = packed_logits(model, rows[chosen, :-1], end)
        return next_token_loss(logits, rows[chosen, 1:])

    def cached(model: DecoderLM, chosen: Tensor) -> Tensor:
        logits = packed_logits(model, rows[chosen, :-1], end)
        return top_target_loss(
            logits, ids[chosen].long(), probabilities[chosen].to(logits.dtype)
        )

    def live(model: DecoderLM, chosen: Tensor) -> Tensor:
        with torch.no_grad():
            targets = packed_logits(teacher, rows[chosen, :-1], end)
        return soft_target_loss(packed_logits(model, rows[chosen, :-1], end), targets)

    price = step_prices({"hard": hard, "cached": cached, "live": live}, seed, len(rows))
    equal_time = max(2, round(steps * price["hard"] / price["live"]))
    plans = {
        "hard": (hard, steps),
        "soft, cached": (cached, steps),
        "soft, live, equal time": (live, equal_time),
    }
    texts = evaluation_texts(8 if small else 64)
    measured = {}
    for name, (loss, count) in plans.items():
        model = train_small(loss, count, seed, len(rows))
        measured[name] = {"steps": count} | evaluate_draft(model, teacher, texts)
    untrained = evaluate_draft(DecoderLM(SMALL, seed).eval(), teacher, texts)
    prices = {name: round(value / price["hard"], 3) for name, value in price.items()}
    return {
        "plans": measured,
        "untrained": untrained,
        "step_price": prices,
        "parameters": DecoderLM(SMALL, seed).parameter_count(),
    }


@cache
def pool(size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows of the corpus and the base model's predictions on them."""
    teacher, tokenizer = load("factbook-base")
    rows = packed_rows(load_corpus().texts, tokenizer, SMALL.context_length)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    rows = rows[order[:size]]
    top = teacher_targets(
        teacher, rows[:, :-1], tokenizer.special_tokens[END_OF_TEXT], kept=32
    )
    return rows, top.ids, top.probabilities


def batches(seed: int, count: int, size: int) -> list[tuple[Tensor]]:
    """Return the numbers of the rows of each batch."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randint(size, (BATCH,), generator=generator),) for _ in range(count)]


def train_small(
    loss: Callable[[DecoderLM, Tensor], Tensor], steps: int, seed: int, size: int
) -> DecoderLM:
    """Train the small draft, with a schedule over these steps."""
    model = DecoderLM(SMALL, seed)
    fit(
        model,
        batches(seed, steps, size),
        loss,
        build_optimizer(model),
        steps=steps,
        schedule=warmup_stable_decay(
            steps, min(20, steps // 4), max(1, 2 * steps // 5)
        ),
        progress=False,
    )
    return model.eval()


def step_prices(
    losses: dict[str, Callable[[DecoderLM, Tensor], Tensor]], seed: int, size: int
) -> dict[str, float]:
    """Return the CPU time of a forward and backward pass with each loss, in turn."""
    model, (chosen,) = DecoderLM(SMALL, seed), batches(seed, 1, size)[0]
    times: dict[str, list[float]] = {name: [] for name in losses}
    for _ in range(4):
        for name, loss in losses.items():
            start = time.process_time()
            loss(model, chosen).backward()
            times[name].append(time.process_time() - start)
    return {name: median(values[1:]) for name, values in times.items()}


@cache
def evaluation_texts(count: int) -> dict[str, list[list[int]]]:
    """Return the texts that the published draft is measured on."""
    teacher, tokenizer = load("factbook-base")
    texts = FACTBOOK_DRAFT.evaluation_texts(teacher, tokenizer)
    return {kind: some[:count] for kind, some in texts.items()}


def evaluate_draft(
    draft: DecoderLM, target: DecoderLM, texts: dict[str, list[list[int]]]
) -> dict:
    """Return the acceptance at temperature 1 and the expected tokens per pass."""
    measured = {}
    for kind, some in texts.items():
        start = 0 if kind == "held_out_articles" else 31
        pairs = agreement(draft, target, some, start)
        rate = float(torch.cat([accepted for accepted, _ in pairs]).mean())
        measured[kind] = {
            "acceptance": round(rate, 4),
            "expected_tokens": round(expected_tokens(rate, 4), 3),
        }
    return measured


def passes(seed: int, small: bool) -> dict:
    """Write with and without the published draft; count passes, and time both."""
    (target, tokenizer), (draft, _) = load("factbook-base"), load("factbook-draft")
    end = tokenizer.special_tokens[END_OF_TEXT]
    runs = []
    for kind, prompts in draw_prompts(seed, 1 if small else 6).items():
        for temperature in (1.0, 0.0):
            options = {"temperature": temperature, "stop_tokens": [end]}
            start, new = time.process_time(), 0
            generator = torch.Generator().manual_seed(seed)
            for prompt in prompts:
                ids = generate(
                    target, prompt, NEW_TOKENS, generator=generator, **options
                )
                new += ids.shape[1] - prompt.shape[1]
            per_token = (time.process_time() - start) / new
            for drafted in DRAFTED:
                start = time.process_time()
                written = [
                    generate_speculatively(
                        target,
                        draft,
                        prompt,
                        NEW_TOKENS,
                        drafted=drafted,
                        generator=generator,
                        **options,
                    )
                    for prompt in prompts
                ]
                seconds = time.process_time() - start
                run = {"text": kind, "temperature": temperature, "k": drafted}
                run |= total(written)
                run["speedup"] = round(per_token * run["new_tokens"] / seconds, 3)
                runs.append(run)
    return {"runs": runs, "price": prices_of_a_pass(target, draft)}


def draw_prompts(seed: int, count: int) -> dict[str, list[Tensor]]:
    """Return beginnings of held-out articles and of texts like the base model's."""
    _, tokenizer = load("factbook-base")
    corpus, end = load_corpus(), tokenizer.special_tokens[END_OF_TEXT]
    generator = torch.Generator().manual_seed(100 + seed)
    drawn = {}
    for kind, rows in (
        ("held-out articles", packed_rows(corpus.held_out, tokenizer, 32)),
        ("corpus", packed_rows(corpus.texts, tokenizer, 32)),
    ):
        whole = rows[~(rows == end).any(dim=1), :32]
        chosen = torch.randperm(len(whole), generator=generator)[:count]
        drawn[kind] = list(whole[chosen].split(1))
    return drawn


def total(written: Sequence[Speculation]) -> dict:
    """Return the sums over several texts."""
    return {
        name: sum(getattr(text, name) for text in written)
        for name in ("new_tokens", "passes", "drafted", "accepted")
    }


@torch.no_grad()
def prices_of_a_pass(
    target: DecoderLM, draft: DecoderLM | None = None, repeats: int = 20
) -> dict:
    """Return the CPU time of a pass over several new tokens after 32, in units of one
    over a single token; and that of the draft over one.

    It is the shortest of several, three in a row each time, because other programs only
    make a pass longer.
    """
    models = [(target, size, str(size)) for size in SIZES]
    models += [] if draft is None else [(draft, 1, "draft")]
    times: dict[str, list[float]] = {name: [] for _, _, name in models}
    caches = {}
    for model, _, name in models:
        caches[name] = model.make_cache(1, 48)
        context = AttentionContext.cached(caches[name])
        model(torch.ones(1, 32, dtype=torch.long), context)
    for _ in range(repeats):
        for model, size, name in models:
            for _ in range(3):
                start = time.process_time()
                context = AttentionContext.cached(caches[name])
                model(torch.ones(1, size, dtype=torch.long), context)
                times[name].append(time.process_time() - start)
                caches[name].rewind(32)
    unit = min(times["1"])
    return {name: round(min(values) / unit, 3) for name, values in times.items()}


def lookup(seed: int, small: bool) -> dict:
    """Let SmolLM2 copy, edit, chat and write code, with drafts from the prompt."""
    model, tokenizer = smollm2()
    runs = []
    for task, request in requests(seed).items():
        ids = torch.tensor([SMOLLM2_CHAT.encode(tokenizer, [Message("user", request)])])
        for drafted in (4, 8):
            found = generate_with_lookup(
                model,
                ids,
                8 if small else 48,
                drafted=drafted,
                stop_tokens=[tokenizer.special_tokens[SMOLLM2_CHAT.end]],
            )
            runs.append({"task": task, "k": drafted} | total([found]))
    return {"runs": runs, "price": prices_of_a_pass(model, repeats=1 if small else 3)}


@cache
def smollm2() -> tuple[DecoderLM, BPETokenizer]:
    """Return SmolLM2, read once for all seeds."""
    return load_smollm2()


def requests(seed: int) -> dict[str, str]:
    """Return a request of each kind."""
    history = " ".join(load_histories()[20 * seed + 3].split()[:60])
    misspelled = history.replace("the ", "teh ")
    return {
        "copy": f"Repeat this text word for word:\n\n{history}",
        "edit": f"Correct the spelling of this text, and write it out:\n\n{misspelled}",
        "chat": CHATS[seed % len(CHATS)],
        "code": f"Write a Python function that {CODE[seed % len(CODE)]}.",
    }


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "exactness": exactness,
    "drafts": drafts,
    "passes": passes,
    "lookup": lookup,
}


def main() -> None:
    whole = run_parts("speculation", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("speculation", whole)


if __name__ == "__main__":
    main()
