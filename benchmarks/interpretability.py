"""Looking inside: where the answer is, who moves it, and which attributions are true.

    places      SmolLM2 completes "The capital of X is the city of"; one state at a time
                comes from the sentence about another country
    question    the state comes from a sentence that asks something else
    heads       which heads move the answer: chosen on half of the countries, tested on
                the other half, and in another relation
    tokens      which digits a sum depends on: attribution methods against the truth
    scratchpad  a written running total is overwritten: does the next one follow it?
    paths       two attention layers: an exact sum over paths, and interventions

A seed decides which country is paired with which, the random vectors and heads, the
sums, and the initial weights of the two layers.

    OMP_NUM_THREADS=1 python benchmarks/interpretability.py --folder runs

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has.
"""

import itertools
import random
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from genai_tutorial.data import load_facts
from genai_tutorial.interpretability import (
    AttentionOnly,
    ablate_tokens,
    ablated,
    attention_rollout,
    attribution_patching,
    head_outputs,
    input_gradients,
    integrated_gradients,
    patched,
    patching_grid,
    repeated_symbols,
    train_attention_only,
)
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.recipes import load
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.arithmetic import ARITHMETIC_TOKENIZER, random_sums

CAPITAL, SPEAK, TRAVEL = (
    "The capital of {} is the city of",
    "People in {} speak",
    "I went to {} by",
)
COUNTRY, LAST = 3, -1
STATES = (1, 10, 20, 23, 24, 26, 28, 30)
ASKED = (1, 10, 15, 20, 24, 26, 28)
FIRST_EXACT = 15  # heads of earlier blocks are not patched one by one

Heads = list[tuple[int, int]]


@cache
def smollm2():
    model, tokenizer = load_smollm2()
    return model.requires_grad_(False), tokenizer


def one_token(word: str) -> bool:
    return len(smollm2()[1].encode(f" {word}")) == 1


def rows(template: str, countries: Sequence[str]) -> Tensor:
    encode = smollm2()[1].encode
    return torch.tensor([list(encode(template.format(name))) for name in countries])


def token(word: str) -> int:
    return next(iter(smollm2()[1].encode(f" {word}")))


def predicted(states: Tensor) -> Tensor:
    """Return the most likely next token for last states of any shape."""
    flat = states.flatten(0, -2)[:, None]
    return smollm2()[0].logits(flat)[:, 0].argmax(dim=-1).view(states.shape[:-1])


@cache
def capitals() -> tuple[tuple[str, int], ...]:
    """Return the countries of one token whose capital of one token the model names."""
    facts = [
        (fact.country, fact.answer)
        for fact in load_facts()
        if fact.relation == "capital"
        and one_token(fact.country)
        and one_token(fact.answer)
    ]
    said = predicted(smollm2()[0].read(rows(CAPITAL, [c for c, _ in facts]))[:, -1])
    return tuple(
        (country, token(capital))
        for (country, capital), id_ in zip(facts, said.tolist(), strict=True)
        if id_ == token(capital)
    )


@cache
def languages() -> tuple[tuple[str, int], ...]:
    """Return those countries whose language the model names, other than English."""
    names = [country for country, _ in capitals()]
    said = predicted(smollm2()[0].read(rows(SPEAK, names))[:, -1]).tolist()
    pairs = zip(names, said, strict=True)
    return tuple(pair for pair in pairs if pair[1] != token("English"))


def partners(answers: Sequence[int], draw: random.Random) -> list[int]:
    """Draw for each row another one with another answer."""
    count = len(answers)
    while True:
        order = draw.sample(range(count), count)
        if all(answers[a] != answers[b] for a, b in enumerate(order)):
            return order


class Pairs:
    """Rows about countries B, each with a partner A whose state or head is put in."""

    def __init__(
        self, template: str, facts: Sequence[tuple[str, int]], draw: random.Random
    ) -> None:
        order = partners([answer for _, answer in facts], draw)
        self.ids = rows(template, [country for country, _ in facts])
        self.own = torch.tensor([answer for _, answer in facts])
        self.source_ids, self.wanted = self.ids[order], self.own[order]
        self.base = self.difference(smollm2()[0].read(self.ids)[:, -1])
        self.goal = self.difference(smollm2()[0].read(self.source_ids)[:, -1])

    def difference(self, states: Tensor) -> Tensor:
        """Return the logit of A's answer minus that of B's own."""
        model, _ = smollm2()
        weight = model.token_embedding.weight
        direction = weight[self.wanted] - weight[self.own]
        return (model.final_norm(states) * direction).sum(dim=-1)

    def recovered(self, states: Tensor) -> Tensor:
        """Return the share of the way from B's difference to A's, for each row."""
        return (self.difference(states) - self.base) / (self.goal - self.base)

    def result(self, states: Tensor) -> dict:
        top = predicted(states)
        return {
            "recovered": round(float(self.recovered(states).mean()), 4),
            "above": int((self.difference(states) > 0).sum()),
            "other": int((top == self.wanted).sum()),
            "own": int((top == self.own).sum()),
        }


@torch.no_grad()
def places(seed: int, small: bool) -> dict:
    model, _ = smollm2()
    facts = capitals()[:4] if small else capitals()
    pairs = Pairs(CAPITAL, facts, random.Random(seed))
    chosen = STATES[:2] if small else STATES
    where = {"country": COUNTRY, "last": LAST}
    grid = patching_grid(
        model, pairs.ids, pairs.source_ids, chosen, list(where.values())
    )
    table = {
        name: {str(state): pairs.result(grid[s, p]) for s, state in enumerate(chosen)}
        for p, name in enumerate(where)
    }
    state = 10
    other = model.hidden_states(pairs.source_ids)[state][:, COUNTRY]
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(other.shape, generator=generator)
    vectors = {
        "random": drawn / drawn.norm(dim=1, keepdim=True) * other.norm(dim=1)[:, None],
        "mean": other.mean(dim=0, keepdim=True),
        "next word": other,
        "same": other,
    }
    controls = {}
    for name, vector in vectors.items():
        position = COUNTRY + 1 if name == "next word" else COUNTRY
        with patched(model, state, position, vector):
            controls[name] = pairs.result(model.read(pairs.ids)[:, -1])
    return {"countries": len(facts), "grid": table, "controls at 10": controls}


@torch.no_grad()
def question(seed: int, small: bool) -> dict:
    model, _ = smollm2()
    spoken = dict(languages()[:4] if small else languages())
    facts = [(name, capital) for name, capital in capitals() if name in spoken]
    draw, found = random.Random(seed), {}
    names = [name for name, _ in facts]
    order = partners([spoken[name] for name in names], draw)
    ids, own = rows(CAPITAL, names), torch.tensor([answer for _, answer in facts])
    tongue = torch.tensor([spoken[name] for name in names])
    outcomes = {
        "capital of A": own[order],
        "capital of B": own,
        "language of A": tongue[order],
        "language of B": tongue,
    }
    base = model.hidden_states(ids)
    for template in (SPEAK, TRAVEL):
        states = model.hidden_states(rows(template, [names[i] for i in order]))
        country = 2 if template == SPEAK else 3
        for name, here, there in (("country", country, COUNTRY), ("last", LAST, LAST)):
            found[f"{template}: {name}"] = by_state = {}
            for state in ASKED:
                x = base[state].clone()
                x[:, there] = states[state][:, here]
                for block in model.blocks[state:]:
                    x = block(x)
                top = predicted(x[:, LAST])
                by_state[str(state)] = {
                    outcome: int((top == answer).sum())
                    for outcome, answer in outcomes.items()
                }
    return {"countries": len(names), "found": found}


def best(scores: Tensor, count: int) -> Heads:
    heads = scores.shape[1]
    top = scores.flatten().argsort(descending=True)[:count].tolist()
    return [divmod(place, heads) for place in top]


def moved(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Return B's head outputs with A's at the last token, and A's everywhere."""
    model, _ = smollm2()
    source, mixed = (head_outputs(model, x) for x in (pairs.source_ids, pairs.ids))
    mixed[:, :, LAST] = source[:, :, LAST]
    return mixed, source


@torch.no_grad()
def together(pairs: Pairs, mixed: Tensor, heads: Heads) -> dict:
    model, _ = smollm2()
    with ablated(model, heads, mixed):
        return pairs.result(model.read(pairs.ids)[:, -1])


def estimate(pairs: Pairs, source: Tensor) -> Tensor:
    """Return the share that each head should recover, by one backward pass."""
    found = attribution_patching(smollm2()[0], pairs.ids, source, pairs.difference)
    return (found / (pairs.goal - pairs.base)[:, None]).mean(dim=1)


@torch.no_grad()
def direct(pairs: Pairs) -> Tensor:
    """Return what each head writes towards the answer, the final norm held fixed."""
    model, _ = smollm2()
    weight = model.token_embedding.weight
    direction = weight[pairs.wanted] - weight[pairs.own]
    total = []
    for ids in (pairs.source_ids, pairs.ids):
        last = model.read(ids)[:, -1]
        scaled = direction * model.final_norm(last) / last
        outputs = head_outputs(model, ids)[:, :, LAST]
        total.append(
            torch.stack(
                [
                    torch.einsum(
                        "bhd,whd,bw->bh",
                        outputs[layer],
                        block.attention.output.weight.unflatten(1, outputs.shape[-2:]),
                        scaled,
                    )
                    for layer, block in enumerate(model.blocks)
                ]
            )
        )
    share = (total[0] - total[1]) / (pairs.goal - pairs.base)[:, None]
    return share.mean(dim=1)


@torch.no_grad()
def each_head(pairs: Pairs, mixed: Tensor) -> Tensor:
    """Return the share that each head of the later blocks recovers alone, exactly."""
    model, _ = smollm2()
    states = model.hidden_states(pairs.ids)
    shares = torch.zeros(model.config.layers, model.config.attention.heads)
    for layer, head in itertools.product(
        range(FIRST_EXACT, len(shares)), range(shares.shape[1])
    ):
        x = states[layer]
        with ablated(model, [(layer, head)], mixed):
            for block in model.blocks[layer:]:
                x = block(x)
        shares[layer, head] = pairs.recovered(x[:, LAST]).mean()
    return shares


def alone(pairs: Pairs) -> dict[str, list[list[float]]]:
    """Return the share of each head alone, by three methods."""
    mixed, source = moved(pairs)
    tables = {
        "exact": each_head(pairs, mixed),
        "estimated": estimate(pairs, source),
        "direct": direct(pairs),
    }
    return {
        name: [[round(float(v), 4) for v in row] for row in table]
        for name, table in tables.items()
    }


def heads(seed: int, small: bool) -> dict:
    model, _ = smollm2()
    draw = random.Random(seed)
    facts = draw.sample(capitals(), 8 if small else len(capitals()))
    half = len(facts) // 2
    choose, test = (Pairs(CAPITAL, f, draw) for f in (facts[:half], facts[half:]))
    _, source = moved(choose)
    scores = estimate(choose, source)
    maps = model.attention_maps(choose.ids).mean(dim=1)
    rules = {
        "one backward pass": scores,
        "direct attribution": direct(choose),
        "attention to the country": maps[:, :, LAST, COUNTRY],
    }
    tested, _ = moved(test)
    found = {
        name: {str(n): together(test, tested, best(rule, n)) for n in (1, 3, 10)}
        for name, rule in rules.items()
    }
    count = model.config.layers * model.config.attention.heads
    at_random = []
    for _ in range(5):
        ten = draw.sample(range(count), 10)
        at_random.append(together(test, tested, [divmod(i, 9) for i in ten]))
    other = Pairs(SPEAK, languages()[:4] if small else languages(), draw)
    others, _ = moved(other)
    three = best(scores, 3)
    few = Pairs(CAPITAL, facts[:8], draw)
    one_by_one = {} if small or seed else alone(few)
    return {
        "countries": [half, len(facts) - half, len(other.ids)],
        "chosen": [list(head) for head in best(scores, 10)],
        "attention": [
            round(float(maps[layer, head, LAST, COUNTRY]), 3) for layer, head in three
        ],
        "tested": found,
        "ten at random": at_random,
        "another relation": together(other, others, three),
        "another relation, ten at random": [
            together(
                other, others, [divmod(i, 9) for i in draw.sample(range(count), 10)]
            )
            for _ in range(5)
        ],
        "one by one": one_by_one,
    }


def sums_before_a_digit(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor, str]:
    """Return sums up to the comma after a first total of two digits, the next digit,
    and which two positions it depends on: the ones of that total and of the third
    number.
    """
    encode, texts, answers, truth = ARITHMETIC_TOKENIZER.encode, [], [], []
    for one in random_sums(count, seed, held_out=True):
        first, second, _ = one.partial_results()
        if first > 99:
            continue
        text = one.text + str(first)[::-1] + ","
        texts.append(text)
        answers.append(encode(str(second % 10))[0])
        truth.append([text.index("=") + 1, text.index("+", 3) + 2])
    ids = torch.tensor([encode(text) for text in texts])
    return ids, torch.tensor(answers), torch.tensor(truth), texts[0]


def both_found(scores: Tensor, truth: Tensor) -> tuple[float, float]:
    """Return the share of rows whose two highest scores are the true positions, and the
    mean share of true ones among them.
    """
    top = scores.argsort(dim=1, descending=True)[:, :2]
    hits = (top[:, :, None] == truth[:, None]).any(dim=2).float().mean(dim=1)
    return float((hits == 1).float().mean()), float(hits.mean())


def tokens(seed: int, small: bool) -> dict:
    model = load("arithmetic-reasoner")[0].eval().requires_grad_(False)
    ids, answers, truth, text = sums_before_a_digit(20 if small else 400, seed)
    digits = [place for place, sign in enumerate(text) if sign.isdigit()]
    table = model.token_embedding.weight
    numerals = table[[ARITHMETIC_TOKENIZER.encode(sign)[0] for sign in "0123456789"]]
    mean, vectors = numerals.mean(dim=0), model.token_embedding(ids)

    def logit(x: Tensor) -> Tensor:
        logits = model.logits(model.read_vectors(x)[:, -1:])[:, 0]
        return logits.gather(1, answers[:, None])[:, 0]

    def log_prob(x: Tensor) -> Tensor:
        logits = model.logits(model.read_vectors(x)[:, -1:])[:, 0]
        return logits.log_softmax(dim=-1).gather(1, answers[:, None])[:, 0]

    draws = torch.Generator().manual_seed(seed)
    another = sum(
        ablate_tokens(
            log_prob,
            vectors,
            numerals[torch.randint(10, (len(ids),), generator=draws)],
            digits,
        )
        for _ in range(3)
    )
    slope = input_gradients(logit, vectors)
    maps = model.attention_maps(ids)
    place = torch.arange(ids.shape[1]).float().expand(len(ids), -1)
    parts = {
        "zero": ablate_tokens(log_prob, vectors, torch.zeros_like(mean), digits),
        "mean digit": ablate_tokens(log_prob, vectors, mean, digits),
        "another digit": another,
        "gradient norm": slope.norm(dim=-1)[:, digits],
        "gradient x input": (slope * vectors).sum(dim=-1).abs()[:, digits],
        "integrated gradients": integrated_gradients(logit, vectors, mean).abs()[
            :, digits
        ],
        "attention, last layer": maps[-1].mean(dim=1)[:, LAST, digits],
        "attention rollout": attention_rollout(maps)[:, LAST, digits],
        "two nearest digits": place[:, digits],
        "random": torch.rand(len(ids), len(digits), generator=draws),
    }
    index = {place: number for number, place in enumerate(digits)}
    where = torch.tensor([[index[int(p)] for p in row] for row in truth])
    found = {name: both_found(scores, where) for name, scores in parts.items()}
    right = float((model(ids)[:, -1].argmax(dim=-1) == answers).float().mean())
    return {
        "sums": len(ids),
        "right": right,
        "found": {n: [round(v, 4) for v in pair] for n, pair in found.items()},
    }


def scratchpad(seed: int, small: bool) -> dict:
    model = load("arithmetic-reasoner")[0].eval().requires_grad_(False)
    encode, decode = ARITHMETIC_TOKENIZER.encode, ARITHMETIC_TOKENIZER.decode
    draw, prompts, rows_ = random.Random(seed), [], []
    for one in random_sums(20 if small else 400, seed + 100, held_out=True):
        first = one.partial_results()[0]
        least, most = (10, 99) if first < 100 else (100, 198)
        wrong = draw.choice(
            [
                w
                for w in range(max(least, first - 30), min(most, first + 30) + 1)
                if w != first
            ]
        )
        rows_.append((one, first, wrong))
        prompts.append(one.text)
    found = {}
    for name in ("as it is", "overwritten"):
        texts = [
            p + str(first if name == "as it is" else wrong)[::-1] + ","
            for p, (_, first, wrong) in zip(prompts, rows_, strict=True)
        ]
        written = [""] * len(texts)
        for length in {len(text) for text in texts}:
            chosen = [i for i, text in enumerate(texts) if len(text) == length]
            ids = torch.tensor([encode(texts[i]) for i in chosen])
            for _ in range(9):
                ids = torch.cat([ids, model(ids)[:, -1:].argmax(dim=-1)], dim=1)
            for i, row in zip(chosen, ids.tolist(), strict=True):
                written[i] = decode([t for t in row[length:] if t < 17])
        follows, true, answer, correct = 0, 0, 0, 0
        for text, (one, first, wrong) in zip(written, rows_, strict=True):
            start = first if name == "as it is" else wrong
            total, _, rest = text.partition(";")
            said = "".join(c for c in rest.split("\n")[0] if c.isdigit())[::-1]
            third, fourth = one.numbers[2:]
            follows += total[::-1] == str(start + third)
            true += total[::-1] == str(first + third)
            answer += said == str(start + third + fourth)
            correct += said == str(one.answer)
        n = len(rows_)
        found[name] = {
            "total follows the text": follows / n,
            "total is true": true / n,
            "answer follows the text": answer / n,
            "answer is true": correct / n,
        }
    return {"sums": len(rows_), "found": found}


@torch.no_grad()
def look(model: AttentionOnly, seed: int) -> dict:
    """Measure one model: paths with frozen patterns, and interventions."""
    period, query = 11, 20
    ids = repeated_symbols(400, period, torch.Generator().manual_seed(900 + seed))
    target, source = ids[:, query + 1], query - period + 1
    embedded, written = model.streams(ids)
    stream = embedded + written.sum(dim=1)
    pattern = model.second.pattern(stream, stream)

    def measured(logits: Tensor) -> list[float]:
        at = logits[:, query]
        above = at.gather(1, target[:, None])[:, 0] - at.mean(dim=1)
        return [
            float((at.argmax(dim=-1) == target).float().mean()),
            float(above.mean()),
        ]

    unembed = model.unembed.weight
    towards = unembed[target] - unembed.mean(dim=0)

    def credit(x: Tensor) -> Tensor:
        """Return what vectors at the query add to the logit, on average."""
        return torch.einsum("b...pw,bw->...p", x, towards)[..., query] / len(ids)

    paths = {
        "embedding": float(credit(embedded)),
        "first layer": [float(v) for v in credit(written)],
        "second layer, of embeddings": [
            float(v) for v in credit(model.second.write(pattern, embedded))
        ],
        "second layer, of first": [
            [float(v) for v in credit(model.second.write(pattern, written[:, head]))]
            for head in range(written.shape[1])
        ],
    }
    whole = measured(model(ids))
    total = paths["embedding"] + sum(
        sum(part)
        for part in (paths["first layer"], paths["second layer, of embeddings"])
    )
    first = sum(map(sum, paths["second layer, of first"]))
    cut = {
        "nothing": model.finish(stream),
        "queries": model.finish(stream, query=embedded),
        "keys": model.finish(stream, key=embedded),
        "values": model.finish(stream, value=embedded),
    }
    first_pattern = model.first.pattern(embedded, embedded)
    places = torch.arange(1, ids.shape[1])
    before = first_pattern[:, :, places, places - 1].mean(dim=(0, 2))

    def advantage(x: Tensor) -> float:
        """Return the score of the source above the mean score of the other keys."""
        parts = model.second.query(stream), model.second.key(x)
        q, k = (p.unflatten(-1, (4, -1)).transpose(1, 2) for p in parts)
        scores = (q[:, :, query, None] * k).sum(dim=-1) / 4
        rest = [place for place in range(query) if place != source]
        return float((scores[:, :, source] - scores[:, :, rest].mean(dim=2)).mean())

    return {
        "measured": whole,
        "paths": paths,
        "sum of paths": total + first,
        "first layer by paths": first + sum(paths["first layer"]),
        "without the first layer in": {name: measured(x) for name, x in cut.items()},
        "previous-token scores": [float(v) for v in before],
        "score of the source, from": {
            "embeddings": advantage(embedded),
            "first layer": [advantage(written[:, h]) for h in range(4)],
        },
    }


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 5) if isinstance(value, float) else value


def paths(seed: int, small: bool) -> dict:
    model = train_attention_only(seed, 10 if small else 400)
    untrained = AttentionOnly(seed).requires_grad_(False)
    return rounded({"trained": look(model, seed), "untrained": look(untrained, seed)})


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "places": places,
    "question": question,
    "heads": heads,
    "tokens": tokens,
    "scratchpad": scratchpad,
    "paths": paths,
}


def main() -> None:
    whole = run_parts("interpretability", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("interpretability", whole)


if __name__ == "__main__":
    main()
