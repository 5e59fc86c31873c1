"""Search, indices and grounded answers, measured part by part.

    chunking     chunks of five sizes: is the right place among 400 words found?
    tables       four sets of questions, five ways to search: recall@1, recall@5, MRR
    rerank       late interaction and query likelihood on the natural questions
    indices      recall@10 against distances computed, on MiniLM's own word vectors
    abstention   does the search know that it has found nothing?
    answers      SmolLM2 with no passage, the right one alone or among four random ones,
                 and one, three or five found
    attribution  which passage carries the answer: by taking each away, and by words
    poison       one false passage beside true ones, and the vote of passages
    planted      two false passages beside a true one
    hops         questions that need two facts, with one search and with two
    uncertainty  does SmolLM2 know which capitals it does not know?
    figure       twelve questions, what each method finds, and the answers from it
    middle       the right passage at place one, three or five of five

    OMP_NUM_THREADS=1 python benchmarks/retrieval.py --folder runs --parts tables

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. All is computed on the CPU.
"""

import random
import time
from collections.abc import Callable, Sequence
from functools import cache, partial

import torch
from question_sets import (
    SearchTask,
    capital_prompts,
    code_questions,
    first_plan,
    inverse_cloze,
    mirrored_questions,
    names_the_country,
    natural_questions,
    plain_passage,
    replace_words,
    reverse_questions,
    second_plan,
    shared_words,
    two_hop_questions,
)
from search_measures import (
    QuantizedIndex,
    recall_at_k,
    reciprocal_ranks,
    weighted_fusion,
    written_citations,
)
from torch import Tensor

from genai_tutorial.data import Fact, load_facts, load_wikipedia
from genai_tutorial.generation import StopAtText, generate_rollouts
from genai_tutorial.metrics import (
    auroc,
    entropy_of_answers,
    risk_coverage,
    semantic_entropy,
)
from genai_tutorial.pretrained import load_minilm, load_smollm2
from genai_tutorial.retrieval import (
    BM25Index,
    ChatModel,
    Chunk,
    FlatIndex,
    InvertedFileIndex,
    NearestVectors,
    ProductQuantizer,
    SmallWorldGraph,
    chunk_sentences,
    chunk_text,
    grounded_prompt,
    late_interaction,
    leave_one_out_attribution,
    query_likelihood,
    recall_of_neighbours,
    reciprocal_rank_fusion,
    rerank,
    split_sentences,
    vote_of_sources,
    words,
    words_and_codes,
)
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.assistant import GoldRule, fact_sentences, normalize_answer
from genai_tutorial.tasks.search_questions import (
    abstention_exam,
    cached_vectors,
    fact_library,
    first_name,
    poison,
)
from genai_tutorial.tokenization import SMOLLM2_CHAT

DEPTH = 50
"""The number of passages of each ranking that fusion sees."""


@cache
def minilm():
    return load_minilm()


@cache
def chat() -> ChatModel:
    model, tokenizer = load_smollm2()
    return ChatModel(model, tokenizer, SMOLLM2_CHAT)


@cache
def library_vectors() -> Tensor:
    return cached_vectors(minilm(), [p.text for p in fact_library(load_facts())])


@cache
def library_index(split: Callable[[str], list[str]]) -> BM25Index:
    return BM25Index([p.text for p in fact_library(load_facts())], split)


def scores_of(task: SearchTask) -> dict[str, Tensor]:
    """Return the scores of all passages for all questions, by method."""
    if task.name == "prose":
        indices = [BM25Index(task.texts, split) for split in (words, words_and_codes)]
        vectors = cached_vectors(minilm(), task.texts)
    else:
        indices = [library_index(split) for split in (words, words_and_codes)]
        vectors = library_vectors()
    plain, coded = (
        torch.stack([index.scores(question) for question in task.questions])
        for index in indices
    )
    dense = minilm().encode(task.questions) @ vectors.T
    return {"BM25": plain, "BM25 with codes": coded, "dense": dense}


READ = 400
"""The number of words of context that each way of chunking may hand on."""


def chunking(seed: int, small: bool) -> dict:
    """Take sentences out of articles, cut the rest into chunks, and look whether the
    chunks nearest to a sentence contain the place where it was.
    """
    articles = load_wikipedia()
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(articles.texts), generator=generator).tolist()
    texts: list[str] = []
    titles: list[str] = []
    asked: list[tuple[int, int, str]] = []  # text, place of the gap, sentence
    for place in order:
        sentences = split_sentences(articles.texts[place])
        words_before = [
            len(articles.texts[place][:end].split()) for _, end in sentences
        ]
        kept = sum(total <= 800 for total in words_before)
        if words_before[-1] < 1000 or kept < 16:
            continue
        # Every second sentence, so that both neighbours of a gap are still there.
        choice = torch.randperm((kept - 2) // 2, generator=generator)[:7]
        taken = {int(number) * 2 + 1 for number in choice}
        text = ""
        for number, (start, end) in enumerate(sentences[:kept]):
            sentence = articles.texts[place][start:end]
            if number in taken:
                asked.append((len(texts), len(text), sentence))
            else:
                text += ("\n" if text else "") + sentence
        texts.append(text)
        titles.append(articles.titles[place])
        if len(texts) == (2 if small else 12):
            break
    queries = minilm().encode([sentence for _, _, sentence in asked])
    ways: dict[str, tuple[int, Callable[[str], list[Chunk]]]] = {
        f"{size} words": (size, partial(chunk_text, size=size))
        for size in (25, 50, 100, 200, 400)
    }
    ways["100 words, 25 again"] = 100, partial(chunk_text, size=100, overlap=25)
    ways["sentences, up to 100 words"] = 100, partial(chunk_sentences, size=100)
    ways["100 words, title in front"] = 100, partial(chunk_text, size=100)
    ways["400 words, read in four parts"] = 400, partial(chunk_text, size=400)
    measured: dict = {"questions": len(asked), "read": READ, "ways": {}}
    for name, (size, cut) in ways.items():
        chunks = [(row, chunk) for row, text in enumerate(texts) for chunk in cut(text)]
        if "title" in name:
            shown = [f"{titles[row]}. {chunk.text}" for row, chunk in chunks]
            vectors = minilm().encode(shown)
        elif "parts" in name:
            # The encoder reads 256 tokens, so a long chunk is cut for it alone.
            parts = [[p.text for p in chunk_text(c.text, size=100)] for _, c in chunks]
            means = [minilm().encode(part).mean(dim=0) for part in parts]
            vectors = torch.nn.functional.normalize(torch.stack(means), dim=1)
        else:
            vectors = minilm().encode([chunk.text for _, chunk in chunks])
        ranked = (queries @ vectors.T).argsort(dim=1, descending=True).tolist()
        right = [
            {
                number
                for number, (own, chunk) in enumerate(chunks)
                if own == row and chunk.start <= gap <= chunk.end + 1
            }
            for row, gap, _ in asked
        ]
        measured["ways"][name] = {
            "chunks": len(chunks),
            "first": mean(recall_at_least_one(ranked, right, 1)),
            "within the words read": mean(
                recall_at_least_one(ranked, right, READ // size)
            ),
        }
    return measured


def recall_at_least_one(
    rankings: Sequence[Sequence[int]], right: Sequence[set[int]], k: int
) -> list[bool]:
    """Return whether one of the right passages is among the first k."""
    return [
        bool(wanted & set(found[:k]))
        for found, wanted in zip(rankings, right, strict=True)
    ]


def tables(seed: int, small: bool) -> dict:
    facts, scale = load_facts(), 0.1 if small else 1
    sets = (
        natural_questions(facts, int(400 * scale), seed),
        code_questions(facts, int(100 * scale), seed),
        reverse_questions(facts, int(100 * scale), seed),
        inverse_cloze(load_wikipedia(), int(700 * scale), int(300 * scale), seed),
    )
    measured = {}
    for task in sets:
        scores = scores_of(task)
        rankings = {
            name: table.argsort(dim=1, descending=True, stable=True)[:, :DEPTH].tolist()
            for name, table in scores.items()
        }
        rankings["RRF"] = [
            list(reciprocal_rank_fusion(pair))
            for pair in zip(rankings["BM25 with codes"], rankings["dense"], strict=True)
        ]
        for weight in (0.1, 0.3, 0.5):
            rankings[f"weighted {weight}"] = [
                weighted_fusion(torch.stack(pair), [weight, 1 - weight])
                .argsort(descending=True)[:DEPTH]
                .tolist()
                for pair in zip(scores["BM25 with codes"], scores["dense"], strict=True)
            ]
        measured[task.name] = {
            "questions": len(task.questions),
            "passages": len(task.passages),
            "methods": {
                name: {
                    "recall@1": mean(recall_at_k(found, task.right, 1)),
                    "recall@5": mean(recall_at_k(found, task.right, 5)),
                    "MRR": mean(reciprocal_ranks(found, task.right)),
                }
                for name, found in rankings.items()
            },
        }
    return measured


def reranking(seed: int, small: bool) -> dict:
    task = natural_questions(load_facts(), 20 if small else 120, seed)
    dense = minilm().encode(task.questions) @ library_vectors().T
    top = dense.topk(10, dim=1)
    margins = (top.values[:, 0] - top.values[:, 1]).tolist()
    limit = sorted(margins)[len(margins) // 4]
    found: dict[str, list[list[int]]] = {
        name: []
        for name in (
            "dense",
            "late interaction",
            "query likelihood",
            "query likelihood where the margin is small",
        )
    }
    for row, question in enumerate(task.questions):
        ids = top.indices[row].tolist()
        states = minilm().token_states([question, *(task.texts[n] for n in ids)])
        likelihoods = query_likelihood(
            chat().model, chat().tokenizer, question, [task.texts[n] for n in ids[:4]]
        )
        by_question = rerank(ids[:4], likelihoods) + ids[4:]
        found["dense"].append(ids)
        found["late interaction"].append(
            rerank(ids, late_interaction(states[0], states[1:]))
        )
        found["query likelihood"].append(by_question)
        found["query likelihood where the margin is small"].append(
            by_question if margins[row] <= limit else ids
        )
    before = recall_at_k(found["dense"], task.right, 1)
    after = recall_at_k(found["query likelihood"], task.right, 1)
    changes = list(zip(before, after, strict=True))
    return {
        "questions": len(task.questions),
        "recall@1": {
            name: mean(recall_at_k(ranking, task.right, 1))
            for name, ranking in found.items()
        },
        "mended": changes.count((0.0, 1.0)),
        "spoiled": changes.count((1.0, 0.0)),
        "wrong before": before.count(0.0),
    }


def indices(seed: int, small: bool) -> dict:
    """Measure all indices on 8,000 word vectors, and on all of them for seed 0."""
    table = minilm().encoder.token_embedding.weight[1996:]  # pieces, not control tokens
    table = torch.nn.functional.normalize(table, dim=1)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(table), generator=generator)
    queries, rest = table[order[:300]], table[order[300:]]
    sizes = (500,) if small else (8000, len(rest)) if seed == 0 else (8000,)
    return {
        str(size): measure_indices(rest[:size].contiguous(), queries, seed)
        for size in sizes
    }


def measure_indices(vectors: Tensor, queries: Tensor, seed: int) -> dict:
    exact = FlatIndex(vectors).search(queries, 10).ids
    lists = round(len(vectors) ** 0.5)
    generator = torch.Generator().manual_seed(seed)
    rows, seconds = [], {}

    def point(kind: str, setting: int, found: NearestVectors) -> None:
        rows.append(
            {
                "index": kind,
                "setting": setting,
                "recall": round(recall_of_neighbours(found.ids, exact), 4),
                "compared": round(found.compared.double().mean().item(), 1),
            }
        )

    start = time.process_time()
    inverted = InvertedFileIndex.fit(vectors, lists, generator)
    seconds["inverted file"] = time.process_time() - start
    for probes in (1, 2, 4, 8, 16, 32, 64):
        if probes <= lists:
            point("inverted file", probes, inverted.search(queries, 10, probes))
    start = time.process_time()
    graph = SmallWorldGraph(vectors, seed=seed)
    seconds["graph"] = time.process_time() - start
    for width in (10, 16, 32, 64, 128, 256):
        point("graph", width, graph.search(queries, 10, width))
    start = time.process_time()
    codes = min(256, len(vectors))
    quantizer = ProductQuantizer.fit(vectors, 48, generator, codes)
    quantized = QuantizedIndex(quantizer, quantizer.encode(vectors), vectors)
    seconds["product quantizer"] = time.process_time() - start
    for reranked in (0, 20, 50, 100):
        point("product quantizer", reranked, quantized.search(queries, 10, reranked))
    return {
        "vectors": len(vectors),
        "queries": len(queries),
        "lists": lists,
        "rows": rows,
        "build_seconds": {name: round(value, 2) for name, value in seconds.items()},
    }


def abstention(seed: int, small: bool) -> dict:
    facts = load_facts()
    exam = abstention_exam(facts, 20 if small else 150, seed)
    texts = [passage.text for passage in fact_library(facts)]
    signals: dict[str, dict[str, Tensor]] = {}
    named: dict[str, list[bool]] = {}
    right: list[bool] = []
    for kind, questions in vars(exam).items():
        asked = [question.text for question in questions]
        cosines = minilm().encode(asked) @ library_vectors().T
        top = cosines.topk(2, dim=1)
        best = top.indices[:, 0].tolist()
        bm25 = library_index(words_and_codes)
        signals[kind] = {
            "cosine": top.values[:, 0],
            "margin": top.values[:, 0] - top.values[:, 1],
            "BM25": torch.stack([bm25.scores(text).max() for text in asked]),
        }
        named[kind] = [
            names_the_country(question, texts[place])
            for question, place in zip(questions, best, strict=True)
        ]
        if kind == "known":
            right = [
                (facts[place].country, facts[place].relation, facts[place].answer)
                == (question.country, question.relation, question.answer)
                for question, place in zip(questions, best, strict=True)
            ]
    measured: dict = {"questions": len(right), "recall@1": mean(right), "auroc": {}}
    for name in ("cosine", "margin", "BM25"):
        for kind in ("invented", "untold"):
            scores = torch.cat((signals["known"][name], signals[kind][name]))
            known = torch.arange(len(scores)) < len(right)
            measured["auroc"][f"{name}, {kind}"] = round(auroc(scores, known), 4)
    measured["names the country"] = {kind: mean(named[kind]) for kind in named}
    # The threshold that answers 95% of the first half is judged on the second.
    half = len(right) // 2
    cosine = {kind: signals[kind]["cosine"] for kind in signals}
    threshold = cosine["known"][:half].quantile(0.05).item()
    measured["threshold"] = round(threshold, 4)
    measured["answered"] = {}
    for kind in cosine:
        passed = (cosine[kind][half:] >= threshold).tolist()
        both = [a and b for a, b in zip(passed, named[kind][half:], strict=True)]
        measured["answered"][kind] = {"cosine": mean(passed), "both checks": mean(both)}
    confidence = torch.cat(list(cosine.values()))
    wrong = torch.tensor([not a for a in right] + [True] * (2 * len(right)))
    curve = risk_coverage(confidence, wrong)
    steps = range(0, len(curve.risk), max(1, len(curve.risk) // 40))
    measured["risk_coverage"] = [
        [
            round(value, 4)
            for value in (
                curve.thresholds[step].item(),
                curve.coverage[step].item(),
                curve.risk[step].item(),
            )
        ]
        for step in steps
    ]
    measured["area"] = round(curve.area, 4)
    measured["area of no signal"] = mean(wrong.tolist())
    return measured


def among_random(
    facts: Sequence[Fact], own: list[int], found: list[list[int]], seed: int
) -> list[list[int]]:
    """Return each passage at the place where it was found, else at the first, and four
    random ones about other countries and other relations around it.
    """
    draw, rows = random.Random(seed), []
    for place, row in zip(own, found, strict=True):
        fact = facts[place]
        far = [
            n
            for n, one in enumerate(facts)
            if one.country != fact.country and one.relation != fact.relation
        ]
        others = draw.sample(far, len(row) - 1)
        at = row.index(place) if place in row else 0
        rows.append([*others[:at], place, *others[at:]])
    return rows


def answers(seed: int, small: bool) -> dict:
    facts = load_facts()
    exam = abstention_exam(facts, 6 if small else 40, seed)
    questions = exam.known
    rule = GoldRule(facts)
    passages = fact_library(facts)
    place_of = {
        (fact.country, fact.relation): place for place, fact in enumerate(facts)
    }
    own = [place_of[question.country, question.relation] for question in questions]
    dense = minilm().encode([q.text for q in questions]) @ library_vectors().T
    found = dense.topk(5, dim=1).indices.tolist()
    contexts: dict[str, list[list[int]]] = {
        "none": [[] for _ in questions],
        "right": [[place] for place in own],
        **{f"top {k}": [row[:k] for row in found] for k in (1, 3, 5)},
        "right among random": among_random(facts, own, found, seed),
    }
    measured: dict = {"questions": len(questions), "conditions": {}}
    written = {}
    for name, rows in contexts.items():
        start = time.process_time()
        texts = chat().answers(
            [
                grounded_prompt(question.text, [passages[n].text for n in row])
                for question, row in zip(questions, rows, strict=True)
            ]
        )
        pairs = list(zip(questions, texts, strict=True))
        written[name] = texts
        measured["conditions"][name] = {
            "right": mean([rule.is_right(*pair) for pair in pairs]),
            "contains": mean([contains(*pair) for pair in pairs]),
            "abstains": mean([rule.response_type(*pair) != "claims" for pair in pairs]),
            "cites": mean([bool(written_citations(text, 5)) for text in texts]),
            "seconds": round(time.process_time() - start, 1),
        }
    # Without a language model: the best passage itself is the answer.
    quoted = [passages[row[0]].text for row in found]
    pairs = list(zip(questions, quoted, strict=True))
    measured["conditions"]["quoted"] = {
        "right": mean([rule.is_right(*pair) for pair in pairs]),
        "contains": mean([contains(*pair) for pair in pairs]),
    }
    measured["examples"] = [
        {
            "question": question.text,
            "answer": question.answer,
            "right": own[row],
            "found": found[row],
            "written": {name: texts[row] for name, texts in written.items()},
        }
        for row, question in enumerate(questions)
    ]
    return measured


def attribution(seed: int, small: bool) -> dict:
    """Attribute answers from three passages, one of them the right one, by taking each
    passage away and by three rules that only compare words.

    The others are the nearest to the question; or one has the same words as the right
    one; or the right one states the fact in other words than the others.
    """
    facts = load_facts()
    passages = [passage.text for passage in fact_library(facts)]
    place_of = {(f.country, f.relation): place for place, f in enumerate(facts)}
    known = abstention_exam(facts, 4 if small else 40, seed).known
    generator = torch.Generator().manual_seed(seed)

    def nearest(question, count: int, without: set[int]) -> list[str]:
        scores = minilm().encode([question.text])[0] @ library_vectors().T
        found = [n for n in scores.topk(8).indices.tolist() if n not in without]
        return [passages[number] for number in found[:count]]

    def own(question) -> int:
        return place_of[question.country, question.relation]

    plain = [(q, passages[own(q)], nearest(q, 2, {own(q)})) for q in known]
    mirrored = []
    for question, other in mirrored_questions(facts, 2 if small else 14, seed):
        places = {own(question), place_of[other.country, other.relation]}
        rest = [plain_passage(other), *nearest(question, 1, places)]
        mirrored.append((question, passages[own(question)], rest))
    reworded = []
    for question, _, rest in plain[: 2 if small else 8]:
        told = fact_sentences(facts[own(question)])
        choice = 2 + int(torch.randint(2, (), generator=generator))
        reworded.append((question, told[choice], rest))
    sets = {"nearest": plain, "same words": mirrored, "reworded": reworded}
    return {
        "questions": {name: len(rows) for name, rows in sets.items()},
        "cases": {
            name: attribute(rows, GoldRule(facts), seed) for name, rows in sets.items()
        },
    }


def attribute(rows: Sequence[tuple], rule: GoldRule, seed: int) -> list[dict]:
    """Answer each question from its right passage and two others in random order, and
    return by which passage each method explains the answer.
    """
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(3, generator=generator).tolist() for _ in rows]
    contexts = [
        [[right, *others][place] for place in order]
        for (_, right, others), order in zip(rows, orders, strict=True)
    ]
    replies = chat().answers(
        [
            grounded_prompt(question.text, context)
            for (question, *_), context in zip(rows, contexts, strict=True)
        ]
    )
    judged = []
    for (question, *_), order, context, reply in zip(
        rows, orders, contexts, replies, strict=True
    ):
        if not reply:
            continue
        lost = leave_one_out_attribution(chat(), question.text, context, reply)
        judged.append(
            {
                "right": rule.is_right(question, reply),
                "contains": contains(question, reply),
                "own": order.index(0),
                "written": list(written_citations(reply, 3)),
                "lost": [round(value, 2) for value in lost.tolist()],
                **shared_words(question.text, reply, context),
            }
        )
    return judged


def poisoning(seed: int, small: bool) -> dict:
    facts = load_facts()
    cases = poison(facts, 4 if small else 24, seed)
    rule = GoldRule(facts)

    def read(case, text: str) -> str | None:
        if rule.is_right(case.question, text):
            return "true"
        return "false" if rule.is_right(case.false_question, text) else None

    def ask(contexts: Sequence[Sequence[str]]) -> list[str | None]:
        replies = chat().answers(
            [
                grounded_prompt(case.question.text, context)
                for case, context in zip(cases, contexts, strict=True)
            ]
        )
        return [read(case, text) for case, text in zip(cases, replies, strict=True)]

    first = [case.true[0].text for case in cases]
    second = [case.true[1].text for case in cases]
    false = [case.false.text for case in cases]
    alone = [ask([[text] for text in texts]) for texts in (first, false, second)]
    votes = [
        vote_of_sources(row, ["one", "two", "three"])
        for row in zip(*alone, strict=True)
    ]
    read_from = {
        "true alone": alone[0],
        "false alone": alone[1],
        "true, false": ask(list(map(list, zip(first, false, strict=True)))),
        "false, true": ask(list(map(list, zip(false, first, strict=True)))),
        "true, false, true": ask(
            list(map(list, zip(first, false, second, strict=True)))
        ),
        "vote of three": votes,
    }
    return {
        "facts": len(cases),
        "read": {
            name: {"true": given.count("true"), "false": given.count("false")}
            for name, given in read_from.items()
        },
    }


def planted(seed: int, small: bool) -> dict:
    """Plant the false fact twice, in two wordings under two sources."""
    facts = load_facts()
    cases = poison(facts, 4 if small else 12, seed)
    rule = GoldRule(facts)

    def read(case, text: str) -> str | None:
        if rule.is_right(case.question, text):
            return "true"
        return "false" if rule.is_right(case.false_question, text) else None

    true = [case.true[0].text for case in cases]
    false = [case.false.text for case in cases]
    again = [
        fact_sentences(Fact(asked.country, asked.relation, asked.answer))[1]
        for asked in (case.false_question for case in cases)
    ]
    contexts = [[[text] for text in texts] for texts in (true, false, again)]
    contexts.append([list(row) for row in zip(false, true, again, strict=True)])
    given = []
    for rows in contexts:
        replies = chat().answers(
            [
                grounded_prompt(case.question.text, row)
                for case, row in zip(cases, rows, strict=True)
            ]
        )
        given.append([read(*pair) for pair in zip(cases, replies, strict=True)])
    votes = [
        vote_of_sources(row, ["one", "two", "three"])
        for row in zip(*given[:3], strict=True)
    ]
    read_from = {"false, true, false": given[3], "vote of three, two planted": votes}
    return {
        "facts": len(cases),
        "read": {
            name: {"true": found.count("true"), "false": found.count("false")}
            for name, found in read_from.items()
        },
    }


def hops(seed: int, small: bool) -> dict:
    """Ask for a fact about a country that another fact names. Where SmolLM2 answers or
    writes, it gets the first questions of each draw only.
    """
    facts = load_facts()
    rule = GoldRule(facts)
    passages = [passage.text for passage in fact_library(facts)]
    place_of = {(f.country, f.relation): place for place, f in enumerate(facts)}
    asked = two_hop_questions(facts, 4 if small else 40, seed)
    some = asked[: 2 if small else 8]

    def search(queries: Sequence[str], k: int) -> list[list[int]]:
        scores = minilm().encode(queries) @ library_vectors().T
        return scores.topk(k, dim=1).indices.tolist()

    def best(queries: Sequence[str]) -> list[str]:
        return [passages[number] for [number] in search(queries, 1)]

    def answer(questions: Sequence[str], found: Sequence[Sequence[int]]) -> list[str]:
        return chat().answers(
            [
                grounded_prompt(question, [passages[number] for number in row])
                for question, row in zip(questions, found, strict=True)
            ]
        )

    texts = [item.question.text for item in asked]
    own = [[place_of[f.country, f.relation] for f in item.facts] for item in asked]
    once = search(texts, 5)
    first = [passages[row[0]] for row in once]
    # The second query: what the first passage adds to the question's other words.
    changed = [replace_words(*pair) for pair in zip(texts, first, strict=True)]
    # Or the question is split by its form, and the first answer put into it.
    halves = best([item.first_question for item in asked])
    second = [item.second_question(t) for item, t in zip(asked, halves, strict=True)]
    given = {
        "one search, printed": first,
        "two searches, words exchanged, printed": best(changed),
        "two searches, question split, printed": best(second),
        "about the first country": [item.about_the_first for item in asked],
    }
    # The same with SmolLM2, which reads, and at last writes the queries too.
    found = {
        "first fact among 5": mean(
            [a in r for r, (a, _) in zip(once, own, strict=True)]
        ),
        "second fact among 5": mean(
            [b in r for r, (_, b) in zip(once, own, strict=True)]
        ),
    }
    texts, once, own = (rows[: len(some)] for rows in (texts, once, own))
    longer = [f"{text} {passage}" for text, passage in zip(texts, first, strict=False)]
    added = [
        list(dict.fromkeys([row[0], *more]))[:4]
        for row, more in zip(once, search(longer, 3), strict=True)
    ]
    inner = [item.first_question for item in some]
    told = answer(inner, search(inner, 1))
    outer = [item.second_question(text) for item, text in zip(some, told, strict=True)]
    planned = continue_lines([first_plan(text) for text in texts])
    replanned = continue_lines(
        [second_plan(*pair) for pair in zip(texts, best(planned), strict=True)]
    )
    given |= {
        "SmolLM2: one search, best 5": answer(texts, once),
        "SmolLM2: both facts": answer(texts, own),
        "SmolLM2: two searches, passage added": answer(texts, added),
        "SmolLM2: two searches, question split": answer(outer, search(outer, 1)),
        "SmolLM2: two searches that it writes": answer(replanned, search(replanned, 1)),
    }
    return {
        "questions": len(asked),
        "read by SmolLM2": len(some),
        "found": found,
        "right": {
            name: [
                int(rule.is_right(item.question, text))
                for item, text in zip(asked, answers, strict=False)
            ]
            for name, answers in given.items()
        },
        "examples": [
            {"question": text, "answer": item.question.answer, "planned": list(plans)}
            for text, item, plans in zip(
                texts, some, zip(planned, replanned, strict=True), strict=True
            )
        ],
    }


def continue_lines(texts: Sequence[str]) -> list[str]:
    """Return SmolLM2's most probable continuation of each text, up to a line's end."""
    model, tokenizer = chat().model, chat().tokenizer
    lines: list[str] = []
    for start in range(0, len(texts), 16):
        rollouts = generate_rollouts(
            model,
            [tokenizer.encode(text) for text in texts[start : start + 16]],
            28,
            end_token=tokenizer.special_tokens["<|im_end|>"],
            temperature=0.0,
            stop=StopAtText(tokenizer, ["\n"]),
            share_prefix=True,
        )
        lines += [tokenizer.decode(ids).strip() for ids in rollouts.answers()]
    return lines


def figure(seed: int, small: bool) -> dict:
    """Answer a few questions from the first three passages of each method."""
    facts = load_facts()
    passages = fact_library(facts)
    natural = natural_questions(facts, 3 if small else 8, seed)
    coded = code_questions(facts, 1 if small else 4, seed)
    shown = [
        {"question": question, "right": min(right), "found": {}, "answers": {}}
        for task in (natural, coded)
        for question, right in zip(task.questions, task.right, strict=True)
    ]
    tasks = [scores_of(natural), scores_of(coded)]
    for name in tasks[0]:
        scores = torch.cat([table[name] for table in tasks])
        order = scores.argsort(dim=1, descending=True, stable=True)[:, :5].tolist()
        for item, row in zip(shown, order, strict=True):
            item["found"][name] = row
    for item in shown:
        pair = [item["found"]["BM25 with codes"], item["found"]["dense"]]
        item["found"]["RRF"] = list(reciprocal_rank_fusion(pair))[:5]
    for name in shown[0]["found"]:
        contexts = [
            [passages[number].text for number in item["found"][name][:3]]
            for item in shown
        ]
        replies = chat().answers(
            [
                grounded_prompt(item["question"], context)
                for item, context in zip(shown, contexts, strict=True)
            ]
        )
        for item, context, reply in zip(shown, contexts, replies, strict=True):
            lost = leave_one_out_attribution(
                chat(), item["question"], context, reply or "."
            )
            item["answers"][name] = {"text": reply, "cited": int(lost.argmax())}
    texts = {
        number: passages[number].text
        for item in shown
        for row in item["found"].values()
        for number in [*row, item["right"]]
    }
    return {"questions": shown, "texts": texts}


def middle(seed: int, small: bool) -> dict:
    """Put the right passage at three places among five neighbours."""
    facts = load_facts()
    exam = abstention_exam(facts, 4 if small else 150, seed)
    rule, passages = GoldRule(facts), fact_library(facts)
    place_of = {
        (fact.country, fact.relation): place for place, fact in enumerate(facts)
    }
    dense = minilm().encode([q.text for q in exam.known]) @ library_vectors().T
    contexts: dict[int, list[list[str]]] = {0: [], 2: [], 4: []}
    for row, question in enumerate(exam.known):
        own = place_of[question.country, question.relation]
        others = [n for n in dense[row].topk(5).indices.tolist() if n != own][:4]
        for place, texts in contexts.items():
            order = [*others[:place], own, *others[place:]]
            texts.append([passages[number].text for number in order])
    measured: dict = {"questions": len(exam.known), "places": {}}
    for place, texts in contexts.items():
        replies = chat().answers(
            [
                grounded_prompt(question.text, context)
                for question, context in zip(exam.known, texts, strict=True)
            ]
        )
        pairs = list(zip(exam.known, replies, strict=True))
        measured["places"][str(place + 1)] = {
            "right": [int(rule.is_right(*pair)) for pair in pairs],
            "contains": [int(contains(*pair)) for pair in pairs],
        }
    return measured


def uncertainty(seed: int, small: bool) -> dict:
    prompts = capital_prompts(
        load_facts(), real=8 if small else 40, invented=4 if small else 20, seed=seed
    )
    model, tokenizer = chat().model, chat().tokenizer
    encoded = [tokenizer.encode(prompt.text) for prompt in prompts]
    stop = StopAtText(tokenizer, ["\n"])

    def complete(temperature: float, generator: torch.Generator):
        return generate_rollouts(
            model,
            encoded,
            8,
            end_token=tokenizer.special_tokens["<|im_end|>"],
            temperature=temperature,
            stop=stop,
            share_prefix=True,
            generator=generator,
        )

    generator = torch.Generator().manual_seed(seed)
    greedy = complete(0.0, generator)
    texts = [first_name(tokenizer.decode(ids)) for ids in greedy.answers()]
    counts = greedy.mask.sum(dim=1).clamp(min=1)
    log_probs = (greedy.log_probs * greedy.mask).sum(dim=1) / counts
    samples: list[list[str]] = [[] for _ in prompts]
    for _ in range(2 if small else 8):
        for row, ids in enumerate(complete(1.0, generator).answers()):
            samples[row].append(first_name(tokenizer.decode(ids)))
    vector_of = {text: None for row in samples for text in row}
    for text, vector in zip(vector_of, minilm().encode(list(vector_of)), strict=True):
        vector_of[text] = vector

    def is_same(a: str, b: str) -> bool:
        first, second = normalize_answer(a), normalize_answer(b)
        inside = bool(first and second) and (first in second or second in first)
        return inside or float(vector_of[a] @ vector_of[b]) > 0.8

    wrong = torch.tensor(
        [not prompt.is_right(text) for prompt, text in zip(prompts, texts, strict=True)]
    )
    signals = {
        "token probability": -log_probs,
        "entropy of answers": torch.tensor(
            [entropy_of_answers(row) for row in samples]
        ),
        "semantic entropy": torch.tensor(
            [semantic_entropy(row, is_same) for row in samples]
        ),
    }
    real = torch.tensor([prompt.capital is not None for prompt in prompts])
    return {
        "real": int(real.sum()),
        "invented": int((~real).sum()),
        "right": int((~wrong).sum()),
        "auroc": {name: round(auroc(s, wrong), 4) for name, s in signals.items()},
        "auroc, real countries": {
            name: round(auroc(s[real], wrong[real]), 4) for name, s in signals.items()
        },
        "rows": [
            {
                "country": prompt.country,
                "capital": prompt.capital,
                "greedy": texts[row],
                "samples": samples[row],
                **{name: round(float(s[row]), 3) for name, s in signals.items()},
            }
            for row, prompt in enumerate(prompts)
        ],
    }


def contains(question, text: str) -> bool:
    """Return whether an answer contains the right one, whatever else it says."""
    asked = normalize_answer(question.answer)
    return f" {asked} " in f" {normalize_answer(text)} "


def mean(values: Sequence) -> float:
    """Return the mean as a short number, 0 of nothing."""
    return round(sum(map(float, values)) / len(values), 4) if values else 0.0


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "chunking": chunking,
    "tables": tables,
    "rerank": reranking,
    "indices": indices,
    "abstention": abstention,
    "answers": answers,
    "attribution": attribution,
    "poison": poisoning,
    "planted": planted,
    "hops": hops,
    "uncertainty": uncertainty,
    "figure": figure,
    "middle": middle,
}


def main() -> None:
    whole = run_parts("retrieval", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("retrieval", whole)


if __name__ == "__main__":
    main()
