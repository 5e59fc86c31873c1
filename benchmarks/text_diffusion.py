"""Text by diffusion: one Transformer trained twice, from left to right and with masks.

    squares   Latin squares: what is solved in which order, in how many calls, at what
              likelihood
    legal     the squares with numbers masked that clash, with beams, and in other calls
    parity    two cells per call, with odd and even numbers of open cells
    longer    the left-to-right model of the squares, trained for twice the time
    apart     two models between both: one row with a causal mask, two rows without
    plays     the characters of Shakespeare: likelihood, infilling and samples

    OMP_NUM_THREADS=1 python benchmarks/text_diffusion.py --folder runs

Each part and seed is one file in the folder and is not repeated. A seed decides the
initial weights, the batches, the masks and the samples; the held-out squares and texts
are the same. Seed 0 of the squares measures the published checkpoints.
"""

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from genai_tutorial.data import load_shakespeare
from genai_tutorial.diffusion import (
    EntropyBound,
    Quota,
    Threshold,
    UnmaskingRule,
    likelihood_bound,
    mask_counts,
    mask_tokens,
    masked_loss,
    nats_in_order,
    token_log_probabilities,
    unmask,
)
from genai_tutorial.generation import generate
from genai_tutorial.recipes import (
    LATIN_LEFT_TO_RIGHT,
    LATIN_MASKED,
    Recipe,
    RunSettings,
    held_out_puzzles,
    load,
)
from genai_tutorial.runtime import keep_record, run_parts, seed_everything
from genai_tutorial.tasks.latin import (
    OPEN,
    ORDER,
    CountingDenoiser,
    fill_single_candidates,
    is_latin,
    latin_split,
    solve_left_to_right,
)
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import (
    Checkpoint,
    OptimizerSettings,
    Process,
    Schedule,
    TokenBatches,
    build_optimizer,
    fit,
)
from genai_tutorial.transformer import (
    AttentionConfig,
    DecoderConfig,
    DecoderLM,
    language_model_loss,
    next_token_loss,
)

CELLS = ORDER * ORDER
TRIES = 5
WINDOW, PLAY_STEPS = 64, 850


def mean(values: Tensor) -> float:
    return round(float(values.double().mean()), 4)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- Latin squares ---


def square_models(seed: int, small: bool) -> tuple[DecoderLM, DecoderLM]:
    """Return the two models, left to right first; those of seed 0 are published."""
    if seed == 0 and not small:
        return load(LATIN_LEFT_TO_RIGHT.name), load(LATIN_MASKED.name)
    causal, masked = LATIN_LEFT_TO_RIGHT, LATIN_MASKED
    return trained(causal, seed, causal.steps, small), trained(
        masked, seed, masked.steps, small
    )


def trained(recipe: Recipe, seed: int, steps: int, small: bool) -> DecoderLM:
    recipe = replace(recipe, seed=seed)
    seed_everything(seed)
    with tempfile.TemporaryDirectory() as folder:
        run = RunSettings(
            5 if small else steps,
            torch.device("cpu"),
            Process(),
            Checkpoint(Path(folder) / "run", every=steps, resume=False),
            progress=False,
        )
        return recipe.fit(run).model.eval()


def in_reading_order(
    causal: DecoderLM, puzzles: Tensor, draws: torch.Generator
) -> dict[str, float]:
    """Return the share of puzzles solved greedily, and by one of five samples."""
    best = torch.zeros(len(puzzles), dtype=torch.bool)
    for _ in range(TRIES):
        best |= is_latin(solve_left_to_right(causal, puzzles, draws))
    return {
        "left to right": mean(is_latin(solve_left_to_right(causal, puzzles))),
        "left to right, five samples": mean(best),
    }


def by_order(
    causal: DecoderLM, masked: DecoderLM, puzzles: Tensor, seed: int
) -> dict[str, float]:
    """Return the share of puzzles that each way of filling them solves."""
    draws = seeded(seed)
    shares = in_reading_order(causal, puzzles, draws)
    shares["single candidates"] = mean(is_latin(fill_single_candidates(puzzles)))
    for order in ("random", "reading", "confident"):
        shares[order] = solved(masked, puzzles, Quota(1, order), draws)["solved"]
    return shares


def solved(
    model: DecoderLM,
    puzzles: Tensor,
    rule: UnmaskingRule,
    draws: torch.Generator | None = None,
) -> dict[str, float]:
    """Return the calls per puzzle and the share solved with a rule."""
    filled = unmask(model, puzzles, rule, OPEN, temperature=0, generator=draws)
    return {"calls": mean(filled.calls), "solved": mean(is_latin(filled.tokens))}


RULES: dict[str, UnmaskingRule] = {
    **{f"{n} per call": Quota(n) for n in (1, 2, 3, 5)},
    **{f"threshold {n}": Threshold(n) for n in (0.9, 0.99)},
    **{f"entropy bound {n}": EntropyBound(n) for n in (0.02, 0.1, 0.3)},
}


def square_nats(causal: DecoderLM, masked: DecoderLM, squares: Tensor) -> dict:
    """Return -ln p of whole squares, nothing given, in nats per square."""
    empty = torch.full_like(squares, OPEN)
    with torch.no_grad():
        logits = causal(torch.cat([empty, squares[:, :-1]], dim=1))[:, CELLS - 1 :]
        log_p = token_log_probabilities(logits, OPEN)
        draws = seeded(0)
        bounds = [likelihood_bound(masked, squares, OPEN, draws) for _ in range(8)]
    found = {
        "truth": round(math.log(161_280), 4),
        "left to right": mean(-log_p.gather(-1, squares[..., None]).sum(dim=(1, 2))),
        "bound": mean(torch.stack(bounds)),
    }
    for order in ("reading", "random", "confident"):
        found[order] = mean(nats_in_order(masked, squares, OPEN, order, draws))
    return found


def spreads(model: DecoderLM, squares: Tensor, small: bool) -> dict[str, float]:
    """Return the standard deviation of a batch's mean of three unbiased estimates of
    the bound, in nats per square, for batches of 64.
    """
    draws, found = seeded(0), {}
    for name in ("time", "time, spread", "number"):
        means = []
        for _ in range(3 if small else 60):
            batch = squares[torch.randint(len(squares), (64,), generator=draws)]
            with torch.no_grad():
                if name == "number":
                    means.append(likelihood_bound(model, batch, OPEN, draws).mean())
                    continue
                time = torch.rand(64, generator=draws)
                if name == "time, spread":
                    time = (time[0] + torch.arange(64) / 64) % 1
                time = time.clamp(min=1e-3)[:, None]
                hidden = torch.rand(batch.shape, generator=draws) < time
                log_p = token_log_probabilities(
                    model(batch.masked_fill(hidden, OPEN)), OPEN
                ).gather(-1, batch[..., None])[..., 0]
                means.append(-((log_p * hidden) / time).sum(dim=1).mean())
        found[name] = round(float(torch.stack(means).std()), 4)
    return found


def conflicts(squares: Tensor) -> Tensor:
    """Return the cells whose number occurs twice in their row or column."""
    marks = one_hot(squares.view(-1, ORDER, ORDER) - 1, ORDER)
    twice = (marks.sum(dim=1, keepdim=True) > 1) | (marks.sum(dim=2, keepdim=True) > 1)
    return (twice & marks.bool()).any(dim=-1).flatten(1)


def alone(model: DecoderLM, squares: Tensor) -> Tensor:
    """Return each cell's log-probability with only that cell masked."""
    scores = torch.empty(squares.shape)
    for cell in range(CELLS):
        hidden = squares.clone()
        hidden[:, cell] = OPEN
        log_p = token_log_probabilities(model(hidden)[:, cell : cell + 1], OPEN)[:, 0]
        scores[:, cell] = log_p.gather(1, squares[:, cell : cell + 1])[:, 0]
    return scores


@torch.no_grad()
def remask(model: DecoderLM, puzzles: Tensor, how: str, seed: int) -> dict[str, float]:
    """Fill three cells per call; then, three times, mask five cells and fill them
    again.
    """
    draws, rule = seeded(seed), Quota(3)
    filled = unmask(model, puzzles, rule, OPEN, temperature=0)
    squares, calls = filled.tokens, filled.calls
    for _ in range(3):
        score = torch.rand(squares.shape, generator=draws)
        if how == "alone":
            score = alone(model, squares)
        elif how == "conflicts":
            score = score + ~conflicts(squares)
        score = score.masked_fill(puzzles != OPEN, torch.inf)
        again = score.argsort(dim=1).argsort(dim=1) < 5
        if how == "conflicts":
            again &= score < 1
        filled = unmask(
            model, squares.masked_fill(again, OPEN), rule, OPEN, temperature=0
        )
        squares, calls = filled.tokens, calls + filled.calls + (how == "alone")
    return {"calls": mean(calls), "solved": mean(is_latin(squares))}


def squares(seed: int, small: bool) -> dict:
    causal, masked = square_models(seed, small)
    n = 8 if small else None
    _, held_out = latin_split()
    puzzles = held_out_puzzles(8)[:n]
    return {
        "items": len(puzzles),
        "solved": {
            str(clues): by_order(causal, masked, held_out_puzzles(clues)[:n], seed)
            for clues in (6, 8)
        },
        "nats": square_nats(causal, masked, held_out[:n]),
        "spread": spreads(masked, held_out, small),
        "rules": {name: solved(masked, puzzles, rule) for name, rule in RULES.items()},
        "masked again": {
            how: remask(masked, puzzles, how, seed)
            for how in ("random", "alone", "conflicts")
        },
    }


# --- with the rules of the puzzle, and with beams ---


def legal(boards: Tensor) -> Tensor:
    """Return True for the numbers of each cell, over 0 to n, that are not yet in its
    row or column; False for 0.
    """
    grid = boards.view(-1, ORDER, ORDER)
    seen = one_hot(grid, ORDER + 1).bool()
    seen = seen.any(dim=2, keepdim=True) | seen.any(dim=1, keepdim=True)
    seen[..., OPEN] = True
    return ~seen.flatten(1, 2)


def with_rules(model: DecoderLM) -> Callable[[Tensor], Tensor]:
    """Return the model with numbers that clash almost impossible: a cell without a
    legal number still gets one.
    """
    return lambda boards: model(boards) - 1e4 * (~legal(boards)).float()


@torch.no_grad()
def beam(
    model: DecoderLM | None,
    puzzles: Tensor,
    beams: int,
    rules: bool,
    draws: torch.Generator,
) -> Tensor:
    """Fill the open cells in reading order, and return whether the squares of the beams
    are correct, the most probable first.

    Args:
        model: A left-to-right model; None gives all numbers the same probability, and
            random numbers break the ties.
        rules: If true, numbers that clash with a clue or an earlier cell are masked.
    """
    boards = puzzles[:, None].repeat(1, beams, 1)
    written = boards[..., :0]
    score = torch.full(boards.shape[:2], -torch.inf)
    score[:, 0] = 0
    for cell in range(CELLS):
        is_open = puzzles[:, cell] == OPEN
        log_p = torch.full((*score.shape, ORDER + 1), -torch.inf)
        log_p = log_p.scatter(2, boards[..., cell, None], 0)
        now = boards[is_open].flatten(0, 1)
        tokens = torch.cat(
            [
                puzzles[is_open].repeat_interleave(beams, dim=0),
                written[is_open].flatten(0, 1),
            ],
            dim=1,
        )
        if model is None:
            logits = 1e-4 * torch.rand(len(now), ORDER + 1, generator=draws)
        else:
            logits = model(tokens)[:, -1]
        predicted = token_log_probabilities(logits[:, None], OPEN)[:, 0]
        if rules:
            predicted = predicted.masked_fill(~legal(now)[:, cell], -torch.inf)
        log_p[is_open] = predicted.view(-1, beams, ORDER + 1)
        score, best = (score[..., None] + log_p).flatten(1).topk(beams, dim=1)
        parent, number = best // (ORDER + 1), best % (ORDER + 1)
        boards = boards.gather(1, parent[..., None].expand(-1, -1, CELLS))
        boards[..., cell] = number
        written = boards[..., : cell + 1]
    correct = is_latin(boards.flatten(0, 1).clamp(min=1)).view(score.shape)
    return correct & score.isfinite()


def with_legal(
    causal: DecoderLM, masked: DecoderLM, puzzles: Tensor, seed: int
) -> dict[str, float]:
    """Return the share of puzzles solved with knowledge of the rules or with beams."""
    draws, found = seeded(seed), {}
    for name, model in (("left to right", causal), ("no model", None)):
        for beams in (1, TRIES):
            correct = beam(model, puzzles, beams, True, draws)
            found[f"{name}, legal, beams {beams}"] = mean(correct[:, 0])
    correct = beam(causal, puzzles, TRIES, False, draws)
    found[f"left to right, beams {TRIES}"] = mean(correct[:, 0])
    found[f"left to right, beams {TRIES}, checked"] = mean(correct.any(dim=1))
    for order in ("random", "reading", "confident"):
        filled = unmask(
            with_rules(masked),
            puzzles,
            Quota(1, order),
            OPEN,
            temperature=0,
            generator=draws,
        )
        found[f"masked, legal, {order}"] = mean(is_latin(filled.tokens))
    return found


class ThresholdAndOne:
    """Keep all tokens above 0.99 and, besides, the surest of the others."""

    def choose(
        self,
        log_probabilities: Tensor,
        drawn: Tensor,
        masked: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        highest = log_probabilities.amax(dim=-1).exp()
        sure = masked & (highest > 0.99)
        next_best = highest.masked_fill(sure | ~masked, 0).argmax(dim=1, keepdim=True)
        return masked & sure.scatter(1, next_best, True)


CONTROLS: dict[str, UnmaskingRule] = {
    **{f"{n} per call, random": Quota(n, "random") for n in (1, 2, 3, 5)},
    "threshold 0.99, plus one": ThresholdAndOne(),
}


def with_search(seed: int, small: bool) -> dict:
    causal, masked = square_models(seed, small)
    n, draws = 8 if small else None, seeded(seed)
    return {
        "solved": {
            str(clues): with_legal(causal, masked, held_out_puzzles(clues)[:n], seed)
            for clues in (6, 8)
        },
        "rules": {
            name: solved(masked, held_out_puzzles(8)[:n], rule, draws)
            for name, rule in CONTROLS.items()
        },
    }


def parity(seed: int, small: bool) -> dict:
    """Return the share solved with two cells per call, and with the entropy bound, for
    odd and even numbers of open cells.
    """
    _, masked = square_models(seed, small)
    held_out = latin_split()[1][: 8 if small else None]
    found = {}
    for count in (19, 18, 17, 16, 15):
        draws = seeded(seed)
        hidden = torch.full((len(held_out),), count)
        puzzles = mask_tokens(held_out, hidden, OPEN, draws)
        found[str(count)] = {
            name: solved(masked, puzzles, rule, draws)["solved"]
            for name, rule in {
                "most confident": Quota(2),
                "random": Quota(2, "random"),
                "entropy bound 0.02": EntropyBound(0.02),
            }.items()
        }
    return {"solved": found}


def longer(seed: int, small: bool) -> dict:
    steps = 2 * LATIN_LEFT_TO_RIGHT.steps
    model, draws = trained(LATIN_LEFT_TO_RIGHT, seed, steps, small), seeded(seed)
    return {
        "steps": steps,
        "solved": {
            str(clues): in_reading_order(
                model, held_out_puzzles(clues)[: 8 if small else None], draws
            )
            for clues in (6, 8)
        },
    }


# --- mask and layout apart ---


def between_loss(
    model: DecoderLM, squares: Tensor, generator: torch.Generator
) -> Tensor:
    """Return the loss of a model that sees the whole puzzle and the whole beginning of
    the solution, both without a causal mask, and predicts the other open cells.
    """
    rows, cells = squares.shape
    counts = mask_counts(rows, cells, generator)
    puzzles = mask_tokens(squares, counts, OPEN, generator)
    written = torch.randint(cells, (rows, 1), generator=generator)
    later = torch.arange(cells) >= written
    log_p = two_rows(model, puzzles, squares.masked_fill(later, OPEN))
    losses = -log_p.gather(-1, squares[..., None])[..., 0]
    asked = later & (puzzles == OPEN)
    return ((losses * asked).sum(dim=1) / asked.sum(dim=1).clamp(min=1)).mean()


def two_rows(model: DecoderLM, puzzles: Tensor, written: Tensor) -> Tensor:
    """Return the log-probabilities of the solution's cells."""
    logits = model(torch.cat([puzzles, written], dim=1))[:, CELLS:]
    return token_log_probabilities(logits, OPEN)


def one_row_loss(
    model: DecoderLM, squares: Tensor, generator: torch.Generator
) -> Tensor:
    return masked_loss(model, squares, OPEN, generator)


def between(seed: int, causal: bool, small: bool) -> DecoderLM:
    """Train a causal model on one row, or one without a causal mask on two rows, with
    the settings and about the time of the two models of the page.
    """
    recipe = LATIN_MASKED if causal else LATIN_LEFT_TO_RIGHT
    attention = replace(recipe.config.attention, causal=causal)
    recipe = replace(
        recipe, seed=seed, config=replace(recipe.config, attention=attention)
    )
    steps = 5 if small else recipe.steps
    draws, model = seeded(seed), recipe.build()
    training, _ = latin_split()

    def batches() -> Iterator[tuple[Tensor]]:
        while True:
            yield (training[torch.randint(len(training), (64,), generator=draws)],)

    fit(
        model,
        batches(),
        partial(one_row_loss if causal else between_loss, generator=draws),
        build_optimizer(model, recipe.optimizer),
        steps=steps,
        schedule=Schedule(
            steps, min(30, steps // 2), "none", cooldown_steps=3 * steps // 5
        ),
        progress=False,
    )
    return model.eval()


@torch.no_grad()
def in_turn(predict: Callable[[Tensor, int], Tensor], puzzles: Tensor) -> Tensor:
    """Fill the open cells in reading order, each with its most probable number."""
    written = torch.full_like(puzzles, OPEN)
    for cell in range(CELLS):
        guess = predict(written, cell).argmax(dim=-1)
        given = puzzles[:, cell]
        written[:, cell] = torch.where(given == OPEN, guess, given)
    return written


def blind(written: Tensor, cell: int, draws: torch.Generator) -> Tensor:
    """Return the exact log-probabilities of a cell, given the cells before it only; a
    little noise chooses between equal ones.
    """
    perfect = counting()
    log_p = torch.cat([perfect(rows)[:, cell] for rows in written.split(10)])
    return log_p + 1e-4 * torch.rand(log_p.shape, generator=draws)


@cache
def counting() -> CountingDenoiser:
    return CountingDenoiser(ORDER)


def apart(seed: int, small: bool) -> dict:
    one, two = between(seed, True, small), between(seed, False, small)
    n = 8 if small else None
    found = {}
    for clues in (6, 8):
        puzzles, draws = held_out_puzzles(clues)[:n], seeded(seed)
        filled = in_turn(
            lambda written, cell, p=puzzles: two_rows(two, p, written)[:, cell], puzzles
        )
        few = puzzles[: 8 if small else 50]
        found[str(clues)] = {
            "causal, one row": solved(one, puzzles, Quota(1, "reading"))["solved"],
            "perfect, sees earlier cells": mean(
                is_latin(in_turn(partial(blind, draws=draws), few))
            ),
            "no causal mask, two rows": mean(is_latin(filled)),
        }
    return {
        "steps": {"one row": LATIN_MASKED.steps, "two rows": LATIN_LEFT_TO_RIGHT.steps},
        "solved": found,
    }


# --- the plays ---


def play_model(vocab_size: int, seed: int, causal: bool) -> DecoderLM:
    base = DecoderConfig.fast(vocab_size + 1, WINDOW, 96, 3, convolution_size=0)
    attention = AttentionConfig(
        4, positions="rotary", query_key_norm=True, causal=causal
    )
    return DecoderLM(replace(base, attention=attention), seed)


def train_on_plays(
    model: DecoderLM, text: Tensor, loss: Callable, seed: int, steps: int
) -> float:
    """Train a model, and return the seconds that it took."""
    history = fit(
        model,
        TokenBatches(text, WINDOW, 32, seed),
        loss,
        build_optimizer(
            model,
            OptimizerSettings(
                matrix_lr=0.03,
                embedding_lr=0.01,
                head_lr=0.005,
                vector_lr=0.03,
                momentum=0.9,
            ),
        ),
        steps=steps,
        schedule=Schedule(
            steps, min(20, steps // 2), "none", cooldown_steps=steps // 2
        ),
        progress=False,
    )
    model.eval()
    return round(history.seconds, 1)


def infill(causal: DecoderLM, masked: DecoderLM, windows: Tensor, vocab: int) -> dict:
    """Restore one missing character, with 31 before and 32 after."""
    place = 31
    true = windows[:, place]
    hidden = windows.clone()
    hidden[:, place] = vocab
    ways = {"masked": token_log_probabilities(masked(hidden), vocab)[:, place]}
    ways["left alone"] = token_log_probabilities(causal(windows), vocab)[:, place - 1]
    scores = []
    for character in range(vocab):
        tried = windows.clone()
        tried[:, place] = character
        log_p = token_log_probabilities(causal(tried)[:, :-1], vocab)
        log_p = log_p.gather(-1, tried[:, 1:, None])[..., 0]
        scores.append(log_p[:, place - 1 :].sum(dim=1))
    ways["both sides, by Bayes"] = torch.stack(scores, dim=1).log_softmax(dim=1)
    return {
        name: {
            "correct": mean(log_p[:, :vocab].argmax(dim=1) == true),
            "bits": mean(-log_p.gather(1, true[:, None]) / math.log(2)),
        }
        for name, log_p in ways.items()
    }


def describe(rows: Tensor, causal: DecoderLM, tokenizer, words: set[str]) -> dict:
    """Return the share of words that occur in the plays, the loss under the
    left-to-right model, and the entropy of the characters, in nats.
    """
    texts = [tokenizer.decode(row.tolist()) for row in rows]
    inside = [word for text in texts for word in text.split()[1:-1]]
    share = torch.bincount(rows.flatten()).double() / rows.numel()
    return {
        "words in the plays": round(
            sum(word in words for word in inside) / max(1, len(inside)), 4
        ),
        "nats": round(float(next_token_loss(causal(rows[:, :-1]), rows[:, 1:])), 4),
        "entropy": round(float(torch.special.entr(share).sum()), 4),
        "first": texts[:2],
    }


@torch.no_grad()
def samples(
    causal: DecoderLM, masked: DecoderLM, tokenizer, text: str, real: Tensor, seed: int
) -> dict:
    """Describe 24 samples of 64 characters for each way of drawing them."""
    vocab, words, draws = tokenizer.vocab_size, set(text.split()), seeded(seed)
    empty = torch.full((24, WINDOW), vocab)
    rows = {"real text": real[:24]}
    start = torch.full((24, 1), tokenizer.encode("\n")[0])
    rows["left to right"] = generate(causal, start, WINDOW - 1, generator=draws)
    for order in ("random", "confident"):
        for calls in (64, 16, 4):
            rule = Quota(WINDOW // calls, order)
            filled = unmask(masked, empty, rule, vocab, generator=draws)
            rows[f"{order}, {calls} calls"] = filled.tokens
    return {
        name: describe(row.clamp(max=vocab - 1), causal, tokenizer, words)
        for name, row in rows.items()
    }


@torch.no_grad()
def play_nats(causal: DecoderLM, masked: DecoderLM, held_out: Tensor, n: int) -> dict:
    """Return nats per character on `n` windows; the orders on the first quarter."""
    text = held_out[: n * WINDOW + 1]
    windows, following = text[:-1].view(-1, WINDOW), text[1:].view(-1, WINDOW)
    vocab, draws = causal.config.vocab_size - 1, seeded(0)
    bounds = torch.stack(
        [likelihood_bound(masked, windows, vocab, draws) for _ in range(4)]
    )
    found = {
        "left to right": round(float(next_token_loss(causal(windows), following)), 4),
        "bound": mean(bounds / WINDOW),
    }
    for order in ("reading", "confident"):
        nats = nats_in_order(masked, windows[: max(1, n // 4)], vocab, order)
        found[order] = mean(nats / WINDOW)
    return found


def plays(seed: int, small: bool) -> dict:
    texts = load_shakespeare()
    tokenizer = CharacterTokenizer.from_text(texts.train)
    train, held_out = (
        torch.tensor(tokenizer.encode(part)) for part in (texts.train, texts.validation)
    )
    vocab, steps, draws = tokenizer.vocab_size, 3 if small else PLAY_STEPS, seeded(seed)

    def loss_of_masks(model: DecoderLM, inputs: Tensor, targets: Tensor) -> Tensor:
        return masked_loss(model, inputs, vocab, draws)

    causal, masked = (play_model(vocab, seed, causal) for causal in (True, False))
    found = {
        "parameters": causal.parameter_count(),
        "steps": steps,
        "training seconds": {
            "left to right": train_on_plays(
                causal, train, language_model_loss, seed, steps
            ),
            "masked": train_on_plays(masked, train, loss_of_masks, seed, steps),
        },
    }
    starts = torch.arange(4 if small else 200) * 977 % (len(held_out) - WINDOW)
    windows = held_out[starts[:, None] + torch.arange(WINDOW)]
    with torch.no_grad():
        found["infilling"] = infill(causal, masked, windows, vocab)
    return found | {
        "nats": play_nats(causal, masked, held_out, 4 if small else 256),
        "samples": samples(causal, masked, tokenizer, texts.train, windows, seed),
    }


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "squares": squares,
    "legal": with_search,
    "parity": parity,
    "longer": longer,
    "apart": apart,
    "plays": plays,
}


def main() -> None:
    whole = run_parts("text_diffusion", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("text_diffusion", whole)


if __name__ == "__main__":
    main()
