"""Chapter 24's batching: the cost of a batch, continuous against static batching,
shared prefixes, and the memory of a paged cache.

- `sizes`: tokens per CPU second of `factbook-base` in batches of 1 to 64, as ratios to
  a batch of one, in turns inside one process;
- `continuous`: forward passes of the engine and of static batches, for 128 questions to
  `factbook-sft` in a random order, with its own lengths of answers, and for 128 texts
  of `factbook-base` whose lengths are drawn (geometric, as in a mix of users);
- `prefix`: 20 questions after the same prefix of 88 tokens, with and without the prefix
  cache, for several block sizes;
- `instructions`: the same with SmolLM2 and a system message of about 220 tokens, with
  the ratio of CPU seconds;
- `memory`: the share of reserved slots that hold a token, for the same requests: whole
  context windows, prompt and longest answer, blocks.

Every answer is compared with that to the request alone.

    # about 3 CPU minutes per seed; parts and seeds resume
    OMP_NUM_THREADS=1 python benchmarks/batching.py --folder runs --seeds 0 1 2 3 4
    # to see that it works
    OMP_NUM_THREADS=1 python benchmarks/batching.py --seeds 0 --smoke
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import cache

import torch

from genai_tutorial.data import load_fact_split
from genai_tutorial.efficiency import (
    Answer,
    Engine,
    Request,
    SamplingOptions,
    Statistics,
    answer_alone,
    answer_in_static_batches,
)
from genai_tutorial.generation import shared_length
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.recipes import load
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.assistant import CHAT, MAX_ANSWER_TOKENS, exam_questions
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.transformer import AttentionContext, DecoderLM

BATCHES = (1, 2, 4, 8, 16, 32, 64)
RUNNING = (8, 16, 32)
QUESTIONS = 128


@cache
def loaded(name: str) -> tuple[DecoderLM, BPETokenizer]:
    model, tokenizer = load(name)
    return model.eval(), tokenizer


def chat_requests(seed: int, count: int) -> list[Request]:
    """Return questions about countries in a random order, to be answered greedily."""
    _, tokenizer = loaded("factbook-sft")
    questions = [question.text for question in exam_questions(load_fact_split().taught)]
    end = frozenset({tokenizer.special_tokens[CHAT.end]})
    options = SamplingOptions(MAX_ANSWER_TOKENS, end_tokens=end)
    chosen = random.Random(seed).sample(questions, count)
    return [
        Request(tuple(CHAT.encode(tokenizer, [Message("user", text)])), options)
        for text in chosen
    ]


def text_requests(seed: int, count: int, mean: int = 24) -> list[Request]:
    """Return starts of articles, each to be continued by a number of tokens drawn
    from a geometric distribution, at most 96.
    """
    _, tokenizer = loaded("factbook-base")
    generator = random.Random(seed)
    countries = sorted({q.country for q in exam_questions(load_fact_split().taught)})
    requests = []
    for number in range(count):
        prompt = tokenizer.encode(f"{generator.choice(countries)}\n")
        length = min(96, 1 + int(generator.expovariate(1 / mean)))
        options = SamplingOptions(length, temperature=1.0, seed=number)
        requests.append(Request(tuple(prompt), options))
    return requests


def run_engine(engine: Engine, requests: Sequence[Request]) -> list[Answer]:
    for request in requests:
        engine.add(request)
    return engine.run()


def equal(model: DecoderLM, answers: Sequence[Answer]) -> int:
    """Return how many answers equal those to the requests alone."""
    return sum(a.ids == answer_alone(model, a.request).ids for a in answers)


def counted(statistics: Statistics) -> dict:
    names = (
        "passes",
        "prefill_passes",
        "row_steps",
        "wasted_row_steps",
        "tokens_read",
        "positions",
        "tokens_drawn",
        "prefix_tokens",
        "most_slots_reserved",
        "preemptions",
    )
    counts = {name: getattr(statistics, name) for name in names}
    return counts | {"waste": round(statistics.waste, 4)}


@torch.no_grad()
def sizes(seed: int, small: bool) -> dict:
    """Tokens per CPU second by batch size, each relative to a batch of one."""
    model, _ = loaded("factbook-base")
    rounds, steps = (1, 2) if small else (9, 24)
    rates: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    for _ in range(rounds):
        for batch in BATCHES:
            store = model.make_cache(batch)
            generator = torch.Generator().manual_seed(seed)
            ids = torch.randint(2, 2000, (batch, 32), generator=generator)
            model.read(ids, AttentionContext.cached(store))
            start = time.process_time()
            for _ in range(steps):
                hidden = model.read(ids[:, :1], AttentionContext.cached(store))
                model.logits(hidden).argmax(dim=-1)
            rates[batch].append(batch * steps / (time.process_time() - start))
    best = {batch: max(found) for batch, found in rates.items()}
    middle = {batch: statistics.median(found) for batch, found in rates.items()}
    return {
        "ratio": {str(b): round(best[b] / best[1], 2) for b in BATCHES},
        "ratio_of_medians": {str(b): round(middle[b] / middle[1], 2) for b in BATCHES},
    }


def continuous(seed: int, small: bool) -> dict:
    """Passes of continuous and static batching."""
    count = 12 if small else QUESTIONS
    measured = {}
    for workload, name, requests in (
        ("questions", "factbook-sft", chat_requests(seed, count)),
        ("texts", "factbook-base", text_requests(seed, count)),
    ):
        model, _ = loaded(name)
        measured[workload] = {}
        for running in RUNNING:
            start = time.process_time()
            fixed, static = answer_in_static_batches(model, requests, running)
            middle = time.process_time()
            engine = Engine(
                model, blocks=512, max_running=running, share_prefixes=False
            )
            answers = run_engine(engine, requests)
            end = time.process_time()
            measured[workload][str(running)] = {
                "static": counted(static),
                "continuous": counted(engine.statistics),
                "passes_ratio": round(static.passes / engine.statistics.passes, 3),
                "seconds_ratio": round((middle - start) / (end - middle), 3),
                "equal_to_static": sum(
                    a.ids == b.ids for a, b in zip(answers, fixed, strict=True)
                ),
            }
        lengths = [len(answer.ids) for answer in answers]
        measured[workload] |= {
            "answers": len(answers),
            "equal_to_alone": equal(model, answers),
            "mean_length": round(statistics.mean(lengths), 2),
            "longest": max(lengths),
        }
    # the drawn lengths are known in advance, so static batches can be sorted by them
    measured["texts"]["sorted_passes"] = {
        str(running): sum(sorted(lengths, reverse=True)[::running])
        for running in RUNNING
    }
    return measured


def prefix(seed: int, small: bool) -> dict:
    """Questions after one prefix."""
    model, tokenizer = loaded("factbook-base")
    questions = exam_questions(load_fact_split().taught)
    chosen = random.Random(seed).sample(questions, 24)
    examples = "".join(f"Q: {q.text}\nA: {q.answer}.\n" for q in chosen[:4])
    beginning = tokenizer.encode(examples)[:88]
    requests = [
        Request(
            (*beginning, *tokenizer.encode(f"\nQ: {q.text}\nA:")[:24]),
            SamplingOptions(8),
        )
        for q in chosen[4 : 8 if small else 24]
    ]
    measured: dict = {"questions": len(requests), "beginning": len(beginning)}
    plain = Engine(model, share_prefixes=False)
    expected = [answer.ids for answer in run_engine(plain, requests)]
    measured["without"] = counted(plain.statistics)
    for size in (1, 8, 16, 32):
        engine = Engine(model, blocks=4096 // size, block_size=size)
        answers = run_engine(engine, requests)
        measured[f"blocks_of_{size}"] = counted(engine.statistics) | {
            "equal": sum(
                a.ids == ids for a, ids in zip(answers, expected, strict=True)
            ),
            "copies": engine.statistics.copies,
        }
    measured["equal_to_alone"] = equal(model, answers)
    return measured


def instructions(seed: int, small: bool) -> dict:
    """Questions to SmolLM2 after one long system message."""
    model, tokenizer = load_smollm2()
    facts = exam_questions(load_fact_split().taught)
    chosen = random.Random(seed).sample(facts, 44)
    known = " ".join(f"{fact.text} {fact.answer}." for fact in chosen[:12])
    system = Message("system", f"Answer in one short sentence. {known}")
    requests = []
    for fact in chosen[12 : 14 if small else 32]:
        turns = [system, Message("user", fact.text)]
        prompt = SMOLLM2_CHAT.encode(tokenizer, turns)
        requests.append(Request(tuple(prompt), SamplingOptions(4)))
    engines, answers, seconds = {}, {}, {}
    for shares in (False, True):
        engines[shares] = Engine(model, blocks=600, share_prefixes=shares)
        start = time.process_time()
        answers[shares] = [a.ids for a in run_engine(engines[shares], requests)]
        seconds[shares] = time.process_time() - start
    beginning = shared_length([request.prompt for request in requests])
    return {
        "questions": len(requests),
        "beginning": beginning,
        "without": counted(engines[False].statistics),
        "with": counted(engines[True].statistics),
        "seconds_ratio": round(seconds[False] / seconds[True], 2),
        "equal": sum(a == b for a, b in zip(*answers.values(), strict=True)),
    }


def memory(seed: int, small: bool) -> dict:
    """The share of the reserved slots that is used, and how many requests run at once
    in the memory of 16 whole context windows.
    """
    count = 12 if small else QUESTIONS
    model, _ = loaded("factbook-base")
    requests = text_requests(seed, count)
    window, running = model.config.context_length, 16
    measured: dict = {"window": window, "running": running}
    for size in (1, 4, 8, 16, 32):
        engine = Engine(
            model,
            blocks=running * window // size + 1,
            block_size=size,
            max_running=running,
            share_prefixes=False,
        )
        run_engine(engine, requests)
        measured[f"blocks_of_{size}"] = counted(engine.statistics)
    used, whole, longest = 0, 0, 0
    engine = Engine(model, blocks=4096, max_running=running, share_prefixes=False)
    for request in requests:
        engine.add(request)
    while not engine.is_idle:
        before = engine.statistics.slots_used
        for answer in engine.step():
            whole += window
            longest += answer.request.longest
        used += engine.statistics.slots_used - before
    measured["whole_windows"] = {"waste": round(1 - used / whole, 4)}
    measured["longest_texts"] = {"waste": round(1 - used / longest, 4)}
    slots = running * window
    tight = Engine(
        model,
        blocks=slots // 16,
        block_size=16,
        max_running=count,
        share_prefixes=False,
    )
    for request in requests:
        tight.add(request)
    together, passes = [], 0
    while not tight.is_idle:
        together.append(len(tight.step()))
        passes += 1
    measured["same_memory"] = {
        "requests_at_once": round(statistics.mean(together), 2),
        "most_at_once": max(together),
        "passes": passes,
        "preemptions": tight.statistics.preemptions,
        "passes_with_whole_windows": measured["blocks_of_16"]["passes"],
    }
    return measured


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "sizes": sizes,
    "continuous": continuous,
    "prefix": prefix,
    "instructions": instructions,
    "memory": memory,
}


def main() -> None:
    whole = run_parts("batching", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("batching", whole)


if __name__ == "__main__":
    main()
