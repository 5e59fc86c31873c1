"""Long contexts, measured part by part.

    sinks       SmolLM2's perplexity along an article, by what a token may attend to
    pieces      the same articles in pieces of 256 tokens, each read without the others
    endless     a stream beyond the trained context, in constant memory
    unbroken    the same stream without sinks, and with everything in view up to 8,192
    stream      a code told 1,000 tokens ago: everything kept, or sinks and a window
    needles     SmolLM2 finds a sentence in 430 tokens, by depth; a control without it
    needles1k, needles2k, needles4k  the same at 1,024, 2,048 and 4,096 tokens
    ruler       several needles, several values, and variables that refer to each other
    scaling     a small Llama at four times its context, before and after 30 steps
    exactness   blockwise attention in float32, and with running sums in bfloat16
    costs       seconds and bytes by length
    contenders  reading everything, retrieval, and chunk and combine, asked in a chat
    completions the same without refine, asked by completion

    OMP_NUM_THREADS=1 python benchmarks/long_context.py --folder runs --parts sinks

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. All is computed on the CPU in
float32, with the matrices of a layer fused.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import (
    HELD_OUT_TITLES,
    PRETRAINING_TITLES,
    load_factbook,
    load_facts,
    load_wikipedia,
)
from genai_tutorial.efficiency import count, quantized
from genai_tutorial.pretrained import load_minilm, load_smollm2
from genai_tutorial.recipes import load
from genai_tutorial.retrieval import (
    ChatModel,
    chunk_sentences,
    grounded_prompt,
    map_reduce,
    refine,
)
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.assistant import GoldRule, Question
from genai_tutorial.tasks.long_context import (
    Haystack,
    HistoryExam,
    LongTask,
    history_exam,
    many_keys,
    many_values,
    score_tasks,
    single_needle,
    variable_tracking,
)
from genai_tutorial.tasks.long_context.scores import read_on
from genai_tutorial.tokenization import SMOLLM2_CHAT
from genai_tutorial.training import TokenBatches, train_step
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderLM,
    KVCache,
    LinearScaling,
    NTKScaling,
    SinkCache,
    YarnScaling,
    attention,
    blockwise_attention,
    fused_attention,
    language_model_loss,
    sink_mask,
    sliding_window_mask,
)

ARTICLES = ("Apollo 11", "Alaska", "Aristotle", "Agriculture", "Abraham Lincoln")
"""One for each seed: the text of a stream, and the hay."""


@cache
def plain_smollm2():
    return load_smollm2()


@cache
def smollm2():
    model, tokenizer = plain_smollm2()
    return quantized(model, "float32"), tokenizer


@cache
def article(seed: int) -> str:
    title = ARTICLES[seed % len(ARTICLES)]
    return load_wikipedia([title]).texts[0]


@cache
def haystack(seed: int) -> Haystack:
    return Haystack.of(article(seed), smollm2()[1])


@torch.no_grad()
def streamed_losses(model: DecoderLM, ids: Tensor, cache: KVCache) -> Tensor:
    """Return the loss of each token after the first, in nats, of a text that is read
    with a cache.

    Args:
        ids: The text, of any length if the cache is a `SinkCache`.
    """
    losses = []
    parts = ids[:, :-1].split(64, dim=1), ids[0, 1:].split(64)
    for part, targets in zip(*parts, strict=True):
        logits = model.logits(read_on(model, part, cache))[0]
        losses.append(functional.cross_entropy(logits, targets, reduction="none"))
    return torch.cat(losses)


def sinks(seed: int, small: bool) -> dict:
    """Read an article with caches that keep different tokens."""
    model, tokenizer = smollm2()
    length = 700 if small else 2048
    ids = torch.tensor([tokenizer.encode(article(seed))[:length]])
    kinds: dict[str, tuple[int, int] | None] = {
        "everything": None,
        "the last 256": (0, 256),
        "the first 4 and the last 252": (4, 252),
        "the first 1 and the last 255": (1, 255),
        "the first 4 without values": (4, 252),
        "four line breaks and the last 252": (4, 252),
    }
    if seed == 0:
        kinds |= {
            "the last 64": (0, 64),
            "the first 4 and the last 60": (4, 60),
            "the last 128": (0, 128),
            "the first 4 and the last 124": (4, 124),
        }
    measured: dict = {"article": ARTICLES[seed], "tokens": ids.shape[1], "kinds": {}}
    for name, sizes in kinds.items():
        start = time.process_time()
        if sizes is None:
            kept = model.make_cache(1, length)
        else:
            kept = SinkCache(model.config, 1, *sizes)
        if name.endswith("without values"):
            # The sinks themselves are read as always; later tokens see their keys and
            # receive nothing.
            first = streamed_losses(model, ids[:, :5], kept)
            kept.values[:, :, :, :4] = 0
            losses = torch.cat((first, continued_losses(model, ids, 4, kept)))
        elif name.startswith("four line breaks"):
            [line_break] = tokenizer.encode("\n")
            changed = torch.cat(
                (torch.full_like(ids[:, :4], line_break), ids[:, 4:]), 1
            )
            losses = streamed_losses(model, changed, kept)
        else:
            losses = streamed_losses(model, ids, kept)
        measured["kinds"][name] = {
            "perplexity": perplexity(losses[512:]),
            "perplexity, first 255": perplexity(losses[:255]),
            "by 32": [round(part.mean().item(), 3) for part in losses.split(32)],
            "tokens 226 to 306": [round(one, 2) for one in losses[225:306].tolist()],
            "bytes": kept.keys.nbytes + kept.values.nbytes,
            "seconds": round(time.process_time() - start, 1),
        }
        if sizes is None:
            norms = kept.values.norm(dim=-1)[:, 0]
            measured["norm of the first token's values"] = round(
                (norms[..., 0].mean() / norms[..., 4:].mean()).item(), 3
            )
    maps = plain_smollm2()[0].attention_maps(ids[:, :256])[:, 0]
    share = maps[:, :, 64:, 0].mean(dim=-1)
    measured["heads"] = share.numel()
    measured["heads with half their weight on token 0"] = int((share > 0.5).sum())
    return measured


def pieces(seed: int, small: bool) -> dict:
    """Read an article with a cache that is emptied again and again."""
    model, tokenizer = smollm2()
    ids = torch.tensor([tokenizer.encode(article(seed))[: 700 if small else 2048]])
    measured: dict = {"article": ARTICLES[seed], "kinds": {}}
    for name, again in (("fresh pieces", 0), ("half read again", 128)):
        losses = []
        for start in range(0, ids.shape[1] - 1, 256 - again):
            begin = max(0, start - again)
            part = ids[:, begin : start + 257 - again]
            kept = model.make_cache(1, 256)
            losses.append(streamed_losses(model, part, kept)[start - begin :])
        found = torch.cat(losses)
        measured["kinds"][name] = {"perplexity": perplexity(found[512:])}
    return measured


def three_articles(seed: int, length: int) -> Tensor:
    """Return the first tokens of several articles, one after the other."""
    text = "\n\n".join(article(number) for number in (seed, seed + 1, seed + 2))
    return torch.tensor([smollm2()[1].encode(text)[:length]])


def by_thousand(losses: Tensor) -> list[float]:
    return [round(part.mean().item(), 3) for part in losses.split(1000)]


def endless(seed: int, small: bool) -> dict:
    """Read several articles as one stream, beyond the trained context of 8,192."""
    model, _ = smollm2()
    ids = three_articles(seed, 2000 if small else 12_000)
    kept = SinkCache(model.config, 1, 4, 252)
    before = kept.keys.nbytes + kept.values.nbytes
    losses = streamed_losses(model, ids, kept)
    return {
        "tokens": ids.shape[1],
        "by 1000": by_thousand(losses),
        "bytes": [before, kept.keys.nbytes + kept.values.nbytes],
    }


def unbroken(seed: int, small: bool) -> dict:
    """Read the same tokens with as many in view but no sinks, and as far as the trained
    context goes with all of them in view.
    """
    model, _ = smollm2()
    ids = three_articles(seed, 2000 if small else 12_000)
    without = streamed_losses(model, ids, SinkCache(model.config, 1, 0, 256))
    trained = ids[:, :8192]
    everything = streamed_losses(model, trained, model.make_cache(1, trained.shape[1]))
    return {
        "tokens": ids.shape[1],
        "by 1000, no sinks": by_thousand(without),
        "by 1000, everything": by_thousand(everything),
    }


@torch.no_grad()
def continued_losses(
    model: DecoderLM, ids: Tensor, read: int, kept: KVCache, piece: int = 64
) -> Tensor:
    """Return the losses of the tokens after those that a cache has read, and of the
    next.
    """
    losses, context = [], AttentionContext.cached(kept)
    for part, targets in zip(
        ids[:, read:-1].split(piece, dim=1),
        ids[:, read + 1 :].split(piece, dim=1),
        strict=True,
    ):
        logits = model(part, context)[0]
        losses.append(functional.cross_entropy(logits, targets[0], reduction="none"))
    return torch.cat(losses)


def perplexity(losses: Tensor) -> float:
    return round(math.exp(losses.mean().item()), 3)


def stream(seed: int, small: bool) -> dict:
    """Tell a code or a word about 1,000 tokens before it is asked for; the small cache
    is also asked for what it was told 100 tokens ago.
    """
    model, tokenizer = smollm2()
    kind = "code" if seed % 2 == 0 else "word"
    far = single_needle(haystack(seed), 300 if small else 1200, 0.1, kind, seed)
    near = single_needle(haystack(seed), 400, 0.75, kind, seed)
    bounded = SinkCache(model.config, 1, 4, 252)
    measured = {"kind": kind}
    for name, task, kept in (
        ("everything, 1,000 tokens ago", far, None),
        ("4 sinks and 252, 100 tokens ago", near, bounded),
        ("4 sinks and 252, 1,000 tokens ago", far, bounded),
    ):
        [score] = score_tasks(model, tokenizer, [task], kept)
        measured[name] = {
            "found": int(score.found),
            "log_probability": round(score.log_probability, 2),
            "written": score.written,
            "right": task.answers[0],
            "tokens": score.tokens,
        }
    return measured


def needle_grid(seed: int, small: bool, length: int) -> dict:
    """Hide a code, a word or both at three depths; the control is the hay alone."""
    model, tokenizer = smollm2()
    rows, kinds = [], ("code", "word")
    for kind in kinds if length < 1000 else kinds[seed % 2 :][:1]:
        tasks = [
            single_needle(haystack(seed), length // 4 if small else length, *rest, seed)
            for rest in ((0.9, kind), (0.5, kind), (0.0, kind))
        ]
        tasks.insert(0, tasks[0].without_needles())
        start = time.process_time()
        scores = score_tasks(model, tokenizer, tasks)
        for task, score in zip(tasks, scores, strict=True):
            rows.append(
                {
                    "length": length,
                    "kind": kind,
                    "depth": task.depth if task.needles else None,
                    "found": int(score.found),
                    "log_probability": round(score.log_probability, 2),
                    "written": score.written,
                    "right": task.answers[0],
                    "tokens": score.tokens,
                    "read": score.tokens_read,
                }
            )
        rows[-1]["seconds of all four"] = round(time.process_time() - start, 1)
    return {"rows": rows}


def ruler(seed: int, small: bool) -> dict:
    model, tokenizer = smollm2()
    length, hay, numbers = (
        430 if small else 800,
        haystack(seed),
        range(1 if small else 3),
    )
    makers: dict[str, Callable[[int], LongTask]] = {
        "single needle": lambda n: single_needle(hay, length, 0.5, "code", n),
        "many keys, 4": lambda n: many_keys(hay, length, 0.5, 4, "code", n),
        "many values, 3": lambda n: many_values(hay, length, 3, n),
        "variable tracking, 1 hop": lambda n: variable_tracking(hay, length, 1, n),
        "variable tracking, 2 hops": lambda n: variable_tracking(hay, length, 2, n),
    }
    measured = {}
    for name, make in makers.items():
        scores = [
            score_tasks(model, tokenizer, [make(10 * seed + number)])[0]
            for number in numbers
        ]
        measured[name] = [
            [round(score.found, 3), round(score.log_probability, 2), score.written]
            for score in scores
        ]
    return {"length": length, "found, log-probability, written": measured}


class WithoutFactor(YarnScaling):
    """YaRN's frequencies without its attention factor."""

    attention_factor = 1.0


class SquaredFactor(YarnScaling):
    """YaRN with its attention factor applied twice, a mistake that is easily made."""

    @property
    def attention_factor(self) -> float:
        """Factor of cosines and sines."""
        return YarnScaling(self.factor).attention_factor ** 2


BANDS = {
    "32-128": (32, 128),
    "192-256": (192, 256),
    "256-384": (256, 384),
    "384-512": (384, 512),
}
YARN = (4, 128)
SCALINGS = {
    "as it is": None,
    "linear": LinearScaling(4),
    "NTK": NTKScaling(4),
    "YaRN": YarnScaling(*YARN),
    "YaRN, ramp from 4 to 0.5 turns": YarnScaling(*YARN, 0.5, 4),
    "YaRN without its factor": WithoutFactor(*YARN),
    "YaRN, factor squared": SquaredFactor(*YARN),
}
MASKS = {
    "window of 128": sliding_window_mask(512, 128),
    "4 sinks and 124": sink_mask(512, 4, 124),
}


@cache
def long_texts() -> tuple[Tensor, Tensor]:
    """Return the tokens of the training articles, and windows of the others."""
    _, tokenizer = load("factbook-base")
    titles = [title for title in PRETRAINING_TITLES if title not in HELD_OUT_TITLES]
    training = torch.tensor(tokenizer.encode(load_wikipedia(titles).text))
    windows = [
        window
        for text in load_wikipedia(HELD_OUT_TITLES).texts
        for window in torch.tensor(tokenizer.encode(text)).split(513)
        if len(window) == 513
    ]
    return training, torch.stack(windows)


def stretched(scaling) -> DecoderLM:
    """Return factbook-base with a context of 512 and scaled positions."""
    model, _ = load("factbook-base")
    config = replace(
        model.config,
        context_length=512,
        attention=replace(model.config.attention, rotary_scaling=scaling),
    )
    longer = DecoderLM(config)
    longer.load_state_dict(model.state_dict())
    return longer


@torch.no_grad()
def by_place(model: DecoderLM, windows: Tensor, mask: Tensor | None = None) -> dict:
    context = None if mask is None else AttentionContext(mask[None, None])
    losses = torch.cat(
        [
            functional.cross_entropy(
                model(rows[:, :-1], context).transpose(1, 2),
                rows[:, 1:],
                reduction="none",
            )
            for rows in windows.split(8)
        ]
    ).mean(dim=0)
    return {
        name: round(losses[first:last].mean().item(), 4)
        for name, (first, last) in BANDS.items()
    }


def scaling(seed: int, small: bool) -> dict:
    training, windows = long_texts()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(windows), generator=generator)[: 4 if small else 24]
    windows = windows[drawn]
    before = {
        name: by_place(stretched(kind), windows) for name, kind in SCALINGS.items()
    }
    plain = stretched(None)
    before |= {name: by_place(plain, windows, mask) for name, mask in MASKS.items()}
    steps, after, training_losses = 2 if small else 30, {}, {}
    for name in ("as it is", "linear", "NTK", "YaRN"):
        model = stretched(SCALINGS[name])
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.0)
        batches = TokenBatches(training, 512, 4, seed)
        losses = []
        for _ in range(steps):
            losses.append(
                train_step(
                    model,
                    next(batches),
                    language_model_loss,
                    optimizer,
                )
            )
        after[name] = by_place(model, windows)
        training_losses[name] = [round(loss, 3) for loss in losses]
    return {
        "windows": len(windows),
        "steps": steps,
        "before": before,
        "after": after,
        "training losses": training_losses,
    }


def exactness(seed: int, small: bool) -> dict:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(3, 1024, 64, generator=generator).unbind()
    exact = attention(query.double(), key.double(), value.double())

    def error(mixed: Tensor) -> float:
        return float(f"{(mixed.double() - exact).abs().max().item():.3g}")

    blocks = {}
    for number in (2, 4, 8, 16):
        size = 1024 // number
        blocks[str(number)] = {
            name: error(blockwise_attention(query, key, value, size, state_dtype=kind))
            for name, kind in (
                ("float32", None),
                ("bfloat16", torch.bfloat16),
            )
        }
    return {"formula": error(attention(query, key, value)), "blocks": blocks}


@torch.no_grad()
def costs(seed: int, small: bool) -> dict:
    """Measure one thread's CPU seconds, the least of several runs."""
    model, tokenizer = smollm2()
    ids = torch.tensor([tokenizer.encode(article(0))])
    lengths = (128, 256) if small else (256, 512, 1024, 2048)
    model.read(ids[:, :64])  # the first call is slower
    reading, token, cached = {}, {}, {}
    for length in lengths:
        kept = model.make_cache(1, length + 8)
        context = AttentionContext.cached(kept)
        start = time.process_time()
        model.read(ids[:, :length], context)
        reading[str(length)] = round(time.process_time() - start, 4)
        last = ids[:, length : length + 1]
        token[str(length)] = least(partial(model.read, last, context), 6)
        exact = model.make_cache(1, length)
        cached[str(length)] = exact.keys.nbytes + exact.values.nbytes
    bounded = SinkCache(model.config, 1, 4, 252)
    alone = {}
    for length in lengths if small else (*lengths, 4096):
        query = torch.randn(1, 9, length, 64)
        key, value = torch.randn(2, 1, 3, length, 64).unbind()
        attend = partial(fused_attention, query, key, value, is_causal=True)
        alone[str(length)] = least(attend, 2)
    return {
        "reading": reading,
        "one token": token,
        "attention alone": alone,
        "exponent of attention": exponent(alone),
        "exponent of reading": exponent(reading),
        "bytes of the cache": cached,
        "bytes per token": count(model.config).cache_bytes(1, bits=32),
        "bytes with 4 sinks and 252": bounded.keys.nbytes + bounded.values.nbytes,
    }


def least(call: Callable[[], object], times: int) -> float:
    call()
    seconds = []
    for _ in range(times):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return round(min(seconds), 5)


def exponent(seconds: dict[str, float]) -> float:
    """Return the slope of log(seconds) on log(length), over the longer half."""
    points = list(seconds.items())[-3:]
    x = torch.tensor([math.log(int(length)) for length, _ in points])
    y = torch.tensor([math.log(value) for _, value in points])
    x, y = x - x.mean(), y - y.mean()
    return round((x @ y / (x @ x)).item(), 3)


def searched(exam: HistoryExam) -> tuple[list[str], list[list[int]]]:
    """Return the exam's text in chunks, each of which says which country it is about,
    and the numbers of the two chunks nearest to each question.
    """
    texts = [
        chunk.text if chunk.start == 0 else f"{country}: {chunk.text}"
        for country, history in zip(exam.countries, exam.histories, strict=True)
        for chunk in chunk_sentences(history, 90, title=country)
    ]
    vectors = load_minilm().encode(texts)
    asked = load_minilm().encode([question.text for question in exam.questions])
    return texts, (asked @ vectors.T).topk(2, dim=1).indices.tolist()


def found_by_search(
    exam: HistoryExam, texts: Sequence[str], best: Sequence[Sequence[int]]
) -> list[int]:
    """Return for each question whether a chunk with its country and year was found."""
    return [
        int(
            any(
                question.answer in texts[n]
                and texts[n].startswith(f"{question.country}:")
                for n in row
            )
        )
        for question, row in zip(exam.questions, best, strict=True)
    ]


def contenders(seed: int, small: bool) -> dict:
    """Ask for years of independence in a text of several countries' histories."""
    model, tokenizer = smollm2()
    chat = ChatModel(model, tokenizer, SMOLLM2_CHAT)
    facts = load_facts()
    histories, questions = (2, 1) if small else (4, 2)
    exam = history_exam(load_factbook(), facts, histories, questions, seed)
    rule = GoldRule(facts)
    texts, best = searched(exam)
    whole = list(exam.histories)
    measured: dict = {
        "questions": len(exam.questions),
        "tokens of the text": len(tokenizer.encode("\n".join(whole))),
        "chunks": len(texts),
        "contenders": {},
    }

    def keep(name: str, replies: Sequence[str], tokens: Sequence[int], begun: float):
        pairs = list(zip(exam.questions, replies, strict=True))
        measured["contenders"][name] = {
            "right": [int(rule.is_right(*pair)) for pair in pairs],
            "contains": [int(question.answer in reply) for question, reply in pairs],
            "tokens": list(tokens),
            "written": list(replies),
            "seconds": round(time.process_time() - begun, 1),
        }

    contexts = {
        "no text": [[] for _ in exam.questions],
        "everything": [whole for _ in exam.questions],
        "its own history": [[whole[place]] for place in exam.right],
        "retrieval of 2 chunks": [[texts[n] for n in row] for row in best],
    }
    for name, rows in contexts.items():
        begun = time.process_time()
        requests = [
            grounded_prompt(question.text, row)
            for question, row in zip(exam.questions, rows, strict=True)
        ]
        replies = chat.answers(requests, batch_size=4)
        keep(name, replies, [len(chat.encode(one)) for one in requests], begun)
    for name, combine in (("map-reduce", map_reduce), ("refine", refine)):
        begun = time.process_time()
        answers = [combine(chat, one.text, whole) for one in exam.questions]
        keep(
            name,
            [answer.text for answer in answers],
            [answer.tokens_read for answer in answers],
            begun,
        )
        measured["contenders"][name]["partial"] = [list(one.partial) for one in answers]
    measured["found by retrieval"] = found_by_search(exam, texts, best)
    measured["answers"] = [question.answer for question in exam.questions]
    return measured


def completions(seed: int, small: bool) -> dict:
    """Let SmolLM2 complete "Togo became independent in" after the same text, or after
    less of it.

    Map-reduce takes the answer of the history after which it is most probable. The
    beginning of the text is cut to the tokens of the retrieved chunks.
    """
    model, tokenizer = smollm2()
    histories = 2 if small else 4
    exam = history_exam(load_factbook(), load_facts(), histories, histories, seed)
    texts, best = searched(exam)
    whole = "\n\n".join(exam.histories)
    beginning = tokenizer.encode(whole)
    kept = model.make_cache(1, len(beginning) + 64)

    @torch.no_grad()
    def complete(text: str, question: Question) -> dict:
        """Return the likeliest year and the log-probability of the right one."""
        tail = f"{question.country} became independent in"
        prompt = tokenizer.encode(f"{text}\n\n{tail}" if text else tail)
        right = tokenizer.encode(f" {question.answer}")
        log_probs = next_log_probs(model, prompt, kept, right[:-1])
        forced = log_probs.gather(1, torch.tensor(right)[:, None])[:, 0]
        drawn = log_probs.argmax(dim=1).tolist()
        equal = next((n for n, one in enumerate(drawn) if one != right[n]), len(right))
        written, log_probability = right[:equal], forced[:equal].sum().item()
        while len(written) < len(right):
            # The first step after the right beginning is already computed.
            if len(written) > equal:
                log_probs = next_log_probs(model, prompt + written, kept)
            latest = log_probs[equal if len(written) == equal else 0]
            written.append(int(latest.argmax()))
            log_probability += latest.max().item()
        return {
            "right": int(written == right),
            "log_probability": round(forced.sum().item(), 3),
            "written": tokenizer.decode(written),
            "its log_probability": round(log_probability, 3),
            "tokens": len(prompt),
        }

    ways: dict[str, list[dict]] = {"map-reduce": []}
    by_history = [
        [complete(text, q) for q in exam.questions] for text in exam.histories
    ]
    for parts in zip(*by_history, strict=True):
        chosen = max(parts, key=lambda part: part["its log_probability"])
        ways["map-reduce"].append(
            {**chosen, "tokens": sum(part["tokens"] for part in parts)}
        )
    own = [by_history[place][n] for n, place in enumerate(exam.right)]
    ways["its own history"] = own
    ways["no text"] = [complete("", question) for question in exam.questions]
    chosen = ["\n\n".join(texts[n] for n in row) for row in best]
    ways["retrieval of 2 chunks"] = [
        complete(text, question)
        for text, question in zip(chosen, exam.questions, strict=True)
    ]
    cut = [
        tokenizer.decode(beginning[: len(tokenizer.encode(text))]) for text in chosen
    ]
    ways["the beginning, as long as 2 chunks"] = [
        complete(text, question)
        for text, question in zip(cut, exam.questions, strict=True)
    ]
    ways["everything"] = [complete(whole, question) for question in exam.questions]
    return {
        "tokens of the text": len(beginning),
        "chunks": len(texts),
        "answers": [question.answer for question in exam.questions],
        "found by retrieval": found_by_search(exam, texts, best),
        "ways": ways,
    }


def next_log_probs(
    model: DecoderLM, ids: Sequence[int], kept: KVCache, more: Sequence[int] = ()
) -> Tensor:
    """Return the log-probabilities of the token after a text, and of those after each
    of the tokens that follow it; read what the cache lacks.
    """
    row = torch.tensor([[*ids, *more]])
    kept.keep(torch.tensor([ids]))
    hidden = model.read(row[:, kept.lengths[0] :], AttentionContext.cached(kept))
    return model.logits(hidden[:, -1 - len(more) :])[0].log_softmax(dim=-1)


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "sinks": sinks,
    "pieces": pieces,
    "endless": endless,
    "unbroken": unbroken,
    "stream": stream,
    "needles": partial(needle_grid, length=430),
    "needles1k": partial(needle_grid, length=1024),
    "needles2k": partial(needle_grid, length=2048),
    "needles4k": partial(needle_grid, length=4096),
    "ruler": ruler,
    "scaling": scaling,
    "exactness": exactness,
    "costs": costs,
    "contenders": contenders,
    "completions": completions,
}


def main() -> None:
    whole = run_parts("long_context", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("long_context", whole)


if __name__ == "__main__":
    main()
