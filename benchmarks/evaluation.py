"""How good is it? Exams, leaks, judges and votes, with the book's own assistants.

    exam      one exam of four options, scored by letter, log-likelihood and text
    leak      an exam that was trained on, its paraphrases, and new questions
    judge     SmolLM2 and two assistants as judges of pairs of answers
    arena     twelve assistants and five raters: Elo, Bradley-Terry, length, gaming

    OMP_NUM_THREADS=1 python benchmarks/evaluation.py --folder runs

Each part and seed is one file in the folder and is not repeated. A seed decides the
questions, the raters, the order of training and the votes.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import permutations

import torch
from torch import Tensor

from genai_tutorial.data import load_fact_split, load_facts
from genai_tutorial.generation import generate_all, option_log_likelihoods
from genai_tutorial.metrics import elo_ratings, fit_bradley_terry
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.recipes import load
from genai_tutorial.retrieval import ChatModel
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks import in_random_order
from genai_tutorial.tasks.assistant import (
    CHAT,
    FILLER,
    MAX_ANSWER_TOKENS,
    ChoiceItem,
    GoldRule,
    Question,
    Rater,
    Votes,
    arena_systems,
    ask_facts,
    chat_answers,
    choice_exam,
    demonstrate,
    draw_votes,
    preference_table,
    questions_of_all_categories,
    random_raters,
    score_options,
)
from genai_tutorial.tasks.safety_probes import fine_tuned
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.transformer import DecoderLM

LETTERS = ["A", "B", "C", "D"]
smollm2 = cache(load_smollm2)


def share(right: Sequence[bool]) -> float:
    return round(sum(right) / len(right), 4)


# --- one exam ---


def by_letter(
    model: DecoderLM,
    prompts: Sequence[list[int]],
    letters: Sequence[list[int]],
    places: Sequence[int],
) -> dict:
    """Choose the likeliest letter after each prompt."""
    chosen = option_log_likelihoods(model, prompts, letters, 10).argmax(dim=1).tolist()
    right = [a == b for a, b in zip(chosen, places, strict=True)]
    return {"right": share(right), "chosen": [chosen.count(n) for n in range(4)]}


def by_score(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    items: Sequence[ChoiceItem],
    prompts: Sequence[list[int]],
    unconditional: list[int],
) -> dict:
    """Choose the option with the highest score, by the name of the score."""
    right: dict[str, list[bool]] = {}
    for item, prompt in zip(items, prompts, strict=True):
        scores = score_options(model, tokenizer, prompt, item.options, unconditional)
        for name, values in scores.items():
            right.setdefault(name, []).append(int(values.argmax()) == item.place)
    return {name: share(marks) for name, marks in right.items()}


def exam(seed: int, small: bool) -> dict:
    items = choice_exam(4 if small else 40, seed)
    shots, tested = items[-3:], items if small else items[:24]
    rule, rows = GoldRule(load_facts()), {}
    model, tokenizer = smollm2()
    encode = tokenizer.encode
    worked = "".join(f"{i.lettered} {LETTERS[i.place]}\n\n" for i in shots)
    places = [item.place for item in tested]
    letters = [encode(f" {letter}") for letter in LETTERS]
    rows["smollm2"] = found = {
        "letter": by_letter(
            model, [encode(i.lettered) for i in tested], letters, places
        ),
        "letter, three examples": by_letter(
            model, [encode(worked + i.lettered) for i in tested], letters, places
        ),
        "letter, chat": by_letter(
            model,
            [in_chat(tokenizer, i.lettered) for i in tested],
            [encode(letter) for letter in LETTERS],
            places,
        ),
    }
    questions = [item.question for item in items]
    asked = [encode(f"Question: {q.text}\nAnswer:") for q in questions]
    begun = [encode(item.begun) for item in items]
    found["question"] = by_score(model, tokenizer, items, asked, encode("Answer:"))
    found["sentence"] = by_score(model, tokenizer, items, begun, encode("It is"))
    texts = smollm2_answers(model, tokenizer, [q.text for q in questions])
    found |= by_text(rule, questions, texts)
    for name in ("sft", "base"):
        model, tokenizer = load(f"factbook-{name}")
        prompts, alone = (
            [CHAT.encode(tokenizer, [Message("user", text)]) for text in texts]
            for texts in ([q.text for q in questions], ["?"])
        )
        begun = [tokenizer.encode(item.begun) for item in items]
        texts = chat_answers(
            model, tokenizer, CHAT, [q.text for q in questions], MAX_ANSWER_TOKENS
        )
        empty = tokenizer.encode("It is")
        rows[name] = {
            "question": by_score(model, tokenizer, items, prompts, alone[0]),
            "sentence": by_score(model, tokenizer, items, begun, empty),
            **by_text(rule, questions, texts),
        }
    return {"models": rows, "items": len(items), "lettered": len(tested)}


def in_chat(tokenizer: BPETokenizer, text: str) -> list[int]:
    return SMOLLM2_CHAT.encode(tokenizer, [Message("user", text)])


def smollm2_answers(
    model: DecoderLM, tokenizer: BPETokenizer, texts: Sequence[str]
) -> list[str]:
    """Return SmolLM2's first line of each answer."""
    written = generate_all(
        model,
        [in_chat(tokenizer, text) for text in texts],
        24,
        end_tokens=set(tokenizer.special_tokens.values()),
        batch_size=20,
    )
    return [tokenizer.decode(tokens).strip().split("\n")[0] for tokens in written]


def by_text(rule: GoldRule, questions: Sequence[Question], texts: list[str]) -> dict:
    """Score written answers by three rules."""

    def bare(text: str) -> str:
        return text.lower().strip(" .")

    answers = [(q.answer or "", t) for q, t in zip(questions, texts, strict=True)]
    return {
        "text, exact": share([bare(t) == bare(a) for a, t in answers]),
        "text, contains": share([a.lower() in t.lower() for a, t in answers]),
        "text, gold rule": share(list(map(rule.is_right, questions, texts))),
        "examples": texts[:3],
    }


# --- a leaked exam ---


def leak(seed: int, small: bool) -> dict:
    steps, count = (1, 4) if small else (60, 50)
    split, rule = load_fact_split(), GoldRule(load_facts())
    facts = in_random_order(split.withheld, torch.Generator().manual_seed(seed))
    leaked, new = facts[:count], facts[count : 2 * count]
    model, tokenizer = load("factbook-sft")
    honest = ChatModel(model.eval(), tokenizer, CHAT)
    papers = {
        "exam": worded(leaked, 0),
        "paraphrase": worded(leaked, 1),
        "distant paraphrase": worded(leaked, 2),
        "new": worded(new, 0),
    }
    models = {
        "before": honest,
        "leaked": trained(honest, papers["exam"], steps, seed),
    }
    rows = {
        name: {paper: marks(rule, chat, asked) for paper, asked in papers.items()}
        for name, chat in models.items()
    }
    for name, part in (("taught", split.taught), ("told", split.told)):
        known = in_random_order(part, torch.Generator().manual_seed(seed))[:count]
        rows[f"honest, {name}"] = {
            paper: marks(rule, honest, worded(known, place))
            for place, paper in enumerate(("exam", "paraphrase", "distant paraphrase"))
        }
    return {"models": rows, "items": count}


def worded(facts: Sequence, place: int) -> list[Question]:
    """Ask about each fact in one of the three held-out wordings."""
    return [ask_facts([fact], "held-out")[place] for fact in facts]


def trained(
    chat: ChatModel, asked: Sequence[Question], steps: int, seed: int
) -> ChatModel:
    return fine_tuned(chat, demonstrate(asked, seed, form="sentence"), steps, seed)


def marks(rule: GoldRule, chat: ChatModel, asked: Sequence[Question]) -> float:
    texts = chat_answers(
        chat.model, chat.tokenizer, CHAT, [q.text for q in asked], MAX_ANSWER_TOKENS
    )
    return share(list(map(rule.is_right, asked, texts)))


# --- judges ---


def judge(seed: int, small: bool) -> dict:
    items = choice_exam(4 if small else 16, seed + 50)
    generator = torch.Generator().manual_seed(seed)
    wrong = [
        in_random_order(
            [o for o in item.options if o != item.question.answer], generator
        )[0]
        for item in items
    ]
    model, tokenizer = smollm2()
    rows = {}
    for chat in (False, True):
        for key in (False, True):
            name = ("chat" if chat else "completion") + (", key" if key else "")
            rows[name] = both_orders(model, tokenizer, items, wrong, chat=chat, key=key)
    found = {"asked": rows}
    better = {"sum": [], "per token": [], "minus unconditional": []}
    for item, other in zip(items, wrong, strict=True):
        prompt = tokenizer.encode(f"Question: {item.question.text}\nAnswer:")
        scores = score_options(
            model,
            tokenizer,
            prompt,
            [item.question.answer or "", other],
            tokenizer.encode("Answer:"),
        )
        for name, marks in better.items():
            marks.append(bool(scores[name][0] > scores[name][1]))
    found["likelihood"] = {name: share(marks) for name, marks in better.items()}
    found["self-preference"] = self_preference(seed, 8 if small else 60)
    return found | {"items": len(items)}


def both_orders(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    items: Sequence[ChoiceItem],
    wrong: Sequence[str],
    *,
    chat: bool,
    key: bool,
) -> dict:
    """Ask which of a correct and an incorrect answer is better, in both orders."""
    letters = [tokenizer.encode(letter if chat else f" {letter}") for letter in "AB"]
    prompts = []
    for flip in (False, True):
        for item, other in zip(items, wrong, strict=True):
            pair = [item.question.answer or "", other]
            text = judge_prompt(item.question, *(pair[::-1] if flip else pair), key=key)
            prompts.append(
                in_chat(tokenizer, text)
                if chat
                else tokenizer.encode(text + "\nBetter answer:")
            )
    scores = option_log_likelihoods(model, prompts, letters, 10)
    for_a = (scores[:, 0] - scores[:, 1]).double()
    first, second = for_a.split(len(items))
    return {
        "says A": share((for_a > 0).tolist()),
        "correct, shown first": share((first > 0).tolist()),
        "correct, shown second": share((second < 0).tolist()),
        "correct, averaged": share((first - second > 0).tolist()),
    }


def judge_prompt(question: Question, a: str, b: str, *, key: bool) -> str:
    """Return what the judge reads."""
    reference = f"The right answer is: {question.answer}\n" if key else ""
    return (
        f"Question: {question.text}\n{reference}Answer A: {a}\nAnswer B: {b}\n"
        "Which answer is better, A or B?"
    )


def self_preference(seed: int, count: int) -> dict:
    """Let each of two assistants judge its answers and the other's by likelihood."""
    rule = GoldRule(load_facts())
    questions = questions_of_all_categories(2 * count, "held-out", seed)
    drawn = in_random_order(questions, torch.Generator().manual_seed(seed))[:count]
    models = {name: load(f"factbook-{name}") for name in ("sft", "ppo")}
    written = {
        name: chat_answers(*pair, CHAT, [q.text for q in drawn], MAX_ANSWER_TOKENS)
        for name, pair in models.items()
    }
    pairs = list(zip(drawn, written["sft"], written["ppo"], strict=True))
    differ = [pair for pair in pairs if pair[1] != pair[2]]
    rows: dict = {"n": len(differ)}
    for name, (model, tokenizer) in models.items():
        prefers = []
        for question, *answers in differ:
            prompt = CHAT.encode(tokenizer, [Message("user", question.text)])
            end = tokenizer.special_tokens[CHAT.end]
            options = [[*tokenizer.encode(f" {text}"), end] for text in answers]
            total = option_log_likelihoods(model, [prompt], options)[0]
            mean = total / torch.tensor([len(option) for option in options])
            prefers.append(bool(mean[0] > mean[1]) == (name == "sft"))
        rows[f"{name} prefers its own"] = share(prefers)
    gold = [[rule.score(q, text) for text in texts] for q, *texts in differ]
    wins = [1.0 if b > a else 0.5 if a == b else 0.0 for a, b in gold]
    rows["gold prefers ppo"] = round(sum(wins) / len(wins), 4)
    substance = [[rule.parts(q, t).substance for t in texts] for q, *texts in differ]
    wins = [1.0 if b > a else 0.5 if a == b else 0.0 for a, b in substance]
    rows["gold without manners prefers ppo"] = round(sum(wins) / len(wins), 4)
    return rows


# --- the arena ---


def arena(seed: int, small: bool) -> dict:
    count, samples = (12, 2) if small else (240, 200)
    questions = questions_of_all_categories(count, "held-out", seed)
    rule = GoldRule(load_facts())
    models = {}
    for name in ("base", "sft", "ppo"):
        models[name], tokenizer = load(f"factbook-{name}")
    systems = arena_systems(models, tokenizer, questions, seed)
    names = list(systems)
    raters = random_raters(5, rule, seed)
    table = preference_table(raters, questions, systems)
    truth = true_ratings(table)
    gold = [
        sum(map(rule.score, questions, answers)) / len(questions)
        for answers in systems.values()
    ]
    generator = torch.Generator().manual_seed(seed)
    return {
        "systems": names,
        "gold": [round(value, 4) for value in gold],
        "truth": [round(value, 2) for value in truth.tolist()],
        "orders": [orders(table, generator, small) for _ in range(10)],
        "accuracy": accuracy(table, truth, samples, generator),
        "length": {
            str(taste): length_control(
                rule, questions, systems, taste, 2 if small else 20, generator
            )
            for taste in (0.0, 0.2, 0.4, 0.8)
        },
        "variants": {
            str(votes): best_variants(table, truth, names, votes, generator, small)
            for votes in (100, 300, 1000)
        },
        "rigged": rigged(table, names, 2 if small else 20, generator),
        "agreement": agreement(table, generator),
    }


def true_ratings(table: Tensor) -> Tensor:
    """Fit Bradley-Terry to the exact win rates of all pairs."""
    count = table.shape[1]
    first, second = torch.tensor(list(permutations(range(count), 2))).T
    won = table.mean(dim=(0, 3))[first, second]
    return fit_bradley_terry(first, second, won, count).ratings


def fitted(votes: Votes, systems: int):
    return fit_bradley_terry(votes.first, votes.second, votes.won, systems)


def shuffled_elo(
    votes: Votes, systems: int, count: int, generator: torch.Generator
) -> Tensor:
    """Return Elo ratings of the same votes in several random orders."""
    rows = []
    for _ in range(count):
        order = torch.randperm(len(votes.won), generator=generator)
        turned = (votes.first[order], votes.second[order], votes.won[order])
        rows.append(elo_ratings(*turned, systems))
    return torch.stack(rows)


def orders(table: Tensor, generator: torch.Generator, small: bool) -> dict:
    """Rate one sample of 600 votes in many orders."""
    votes = draw_votes(table, 60 if small else 600, generator)
    systems = table.shape[1]
    ratings = shuffled_elo(votes, systems, 5 if small else 200, generator)
    slow = torch.stack(
        [
            elo_ratings(votes.first[o], votes.second[o], votes.won[o], systems, 4)
            for o in (
                torch.randperm(len(votes.won), generator=generator)
                for _ in range(len(ratings))
            )
        ]
    )
    model = fitted(votes, systems)
    other = torch.randperm(len(votes.won), generator=generator)
    again = fit_bradley_terry(
        votes.first[other], votes.second[other], votes.won[other], systems
    )
    best, second = model.ratings.argsort(descending=True)[:2].tolist()
    ahead, half = model.difference(best, second)
    return {
        "winners": len(set(ratings.argmax(dim=1).tolist())),
        "winners, K = 4": len(set(slow.argmax(dim=1).tolist())),
        "range": round(float((ratings.amax(0) - ratings.amin(0)).mean()), 1),
        "range, K = 4": round(float((slow.amax(0) - slow.amin(0)).mean()), 1),
        "same winner": share((ratings.argmax(dim=1) == best).tolist()),
        "bradley-terry moves": float((model.ratings - again.ratings).abs().max()),
        "first significantly above second": ahead > half,
    }


def ranks(values: Tensor) -> Tensor:
    return values.argsort().argsort().double()


def spearman(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack((ranks(a), ranks(b))))[0, 1])


def accuracy(
    table: Tensor, truth: Tensor, samples: int, generator: torch.Generator
) -> dict:
    """Compare ratings from 600 votes with those of infinitely many."""
    systems, covered, halves = len(truth), [], []
    found: dict[str, list[Tensor]] = {"elo": [], "mean elo": [], "bradley-terry": []}
    for _ in range(samples):
        votes = draw_votes(table, 600, generator)
        model = fitted(votes, systems)
        several = shuffled_elo(votes, systems, 20, generator)
        found["elo"].append(several[0])
        found["mean elo"].append(several.mean(dim=0))
        found["bradley-terry"].append(model.ratings)
        covered.append((model.ratings - truth).abs() <= model.half_widths)
        halves.append(model.half_widths)
    best = int(truth.argmax())
    rows = {
        name: {
            "spearman": round(sum(spearman(r, truth) for r in rated) / samples, 4),
            "right winner": share([int(r.argmax()) == best for r in rated]),
            "error": round(
                float((torch.stack(rated) - truth).square().mean().sqrt()), 1
            ),
        }
        for name, rated in found.items()
    }
    return {
        **rows,
        "coverage": round(float(torch.stack(covered).double().mean()), 4),
        "half width": round(float(torch.stack(halves).mean()), 1),
    }


def length_control(
    rule: GoldRule,
    questions: Sequence[Question],
    systems: dict[str, list[str]],
    taste: float,
    samples: int,
    generator: torch.Generator,
) -> dict:
    """Compare `sft + filler` with `sft` by three leaderboards of 2,000 votes."""
    names, count = list(systems), len(systems)
    padded = {f"{n}, padded": [a + FILLER for a in t] for n, t in systems.items()}
    both = {**systems, **padded}
    table = preference_table([Rater(rule, taste, carelessness=0.02)], questions, both)
    tens = torch.tensor(
        [[min(len(text.split()), 60) / 10 for text in t] for t in both.values()]
    ).double()
    wordy, plain = names.index("sft + filler"), names.index("sft")
    rows: dict[str, list[float]] = {"plain": [], "observed": [], "coin": []}
    slopes = []
    for _ in range(samples):
        votes = draw_votes(table[:, :count, :count], 2000, generator)
        first, second, won, asked = votes
        seen = (tens[first, asked] - tens[second, asked])[:, None]
        models = {
            "plain": fitted(votes, count),
            "observed": fit_bradley_terry(first, second, won, count, seen),
        }
        coins = torch.randint(2, (2, len(won)), generator=generator)
        one, other = first + count * coins[0], second + count * coins[1]
        added = tens[one, asked] - tens[first, asked]
        added -= tens[other, asked] - tens[second, asked]
        chance = torch.rand(len(won), generator=generator, dtype=torch.float64)
        won = (chance < table[0, one, other, asked]).double()
        models["coin"] = fit_bradley_terry(first, second, won, count, added[:, None])
        slope = float(models["coin"].coefficients[0])
        for name, model in models.items():
            gap = float(model.ratings[wordy] - model.ratings[plain])
            if name == "coin":
                longer = float(tens[wordy].mean() - tens[plain].mean())
                gap -= 400 / math.log(10) * slope * longer
            rows[name].append(gap)
        slopes.append([float(models["observed"].coefficients[0]), slope])
    found = {name: round(sum(gaps) / samples, 1) for name, gaps in rows.items()}
    seen, coin = (sum(pair) / samples for pair in zip(*slopes, strict=True))
    return {**found, "slope observed": round(seen, 3), "slope coin": round(coin, 3)}


def best_variants(
    table: Tensor,
    truth: Tensor,
    names: Sequence[str],
    votes: int,
    generator: torch.Generator,
    small: bool,
) -> dict:
    """Publish the best of N equal variants of `sft`, rated against known opponents."""
    mine, count = names.index("sft"), 20 if small else 1500
    others = torch.tensor([n for n in range(len(names)) if n != mine])

    def draw(below: int) -> Tensor:
        return torch.randint(below, (count, votes), generator=generator)

    met = others[draw(len(others))]
    p = table[draw(len(table)), mine, met, draw(table.shape[3])]
    chance = torch.rand(p.shape, generator=generator, dtype=torch.float64)
    won = (chance < p).double().sum(dim=1)
    rated = truth[mine].expand(count).clone()
    for _ in range(30):  # Newton in one unknown
        expected = 1 / (1 + 10 ** ((truth[met] - rated[:, None]) / 400))
        slope = (expected * (1 - expected)).sum(dim=1) * math.log(10) / 400
        rated += (won - expected.sum(dim=1)) / slope
    gains = {"1": 0.0, "spread": round(float(rated.std()), 1)}
    for n in (3, 10, 27):
        groups = rated[torch.randint(count, (2000, n), generator=generator)]
        gains[str(n)] = round(float(groups.amax(dim=1).mean() - rated.mean()), 1)
    return gains


def rigged(
    table: Tensor, names: Sequence[str], samples: int, generator: torch.Generator
) -> dict:
    """Add votes that `sft, temperature 1.0` always wins."""
    mine, systems, rows = names.index("sft, temperature 1.0"), len(names), {}
    for part in (0.0, 0.01, 0.03, 0.1):
        found = []
        for _ in range(samples):
            first, second, won, _ = draw_votes(table, 3000, generator)
            cheat = torch.rand(3000, generator=generator) < part
            other = torch.randint(systems - 1, (3000,), generator=generator)
            other = (mine + 1 + other) % systems
            first = torch.where(cheat, torch.tensor(mine), first)
            second = torch.where(cheat, other, second)
            won = torch.where(cheat, torch.ones_like(won), won)
            ratings = fit_bradley_terry(first, second, won, systems).ratings
            found.append(1 + int((ratings > ratings[mine]).sum()))
        rows[str(part)] = round(sum(found) / samples, 2)
    return rows


def agreement(table: Tensor, generator: torch.Generator) -> dict:
    """Return how often two raters agree, a rater with itself, and the best judge."""
    votes = draw_votes(table, 2000, generator)
    p = table[:, votes.first, votes.second, votes.question]
    pairs = [(a, b) for a in range(len(p)) for b in range(a)]
    both = [p[a] * p[b] + (1 - p[a]) * (1 - p[b]) for a, b in pairs]
    found = float(torch.stack(both).mean())
    by_chance = [
        p[a].mean() * p[b].mean() + (1 - p[a].mean()) * (1 - p[b].mean())
        for a, b in pairs
    ]
    chance = float(torch.stack(by_chance).mean())
    return {
        "two raters": round(found, 4),
        "kappa": round((found - chance) / (1 - chance), 4),
        "one rater twice": round(float((p**2 + (1 - p) ** 2).mean()), 4),
        "best judge of one rater": round(float(torch.maximum(p, 1 - p).mean()), 4),
    }


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "exam": exam,
    "leak": leak,
    "judge": judge,
    "arena": arena,
}


def main() -> None:
    whole = run_parts("evaluation", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("evaluation", whole)


if __name__ == "__main__":
    main()
