"""Merging fine-tuned models: two LoRA adapters, and the line between two models.

`adapters` fine-tunes `factbook-sft` on questions about languages and, separately, on
questions about national symbols, two relations that it was never asked about. The
corrections of the two are merged in several ways. Opponents: each adapter alone, and
one adapter trained on both with as many steps as the two together.

`barriers` trains pairs of models on products of two numbers and measures the loss along
the line between them. The two models of a pair begin with `arithmetic-reasoner`, with
the same random weights, or with different random weights; each sees the examples in its
own order. Everything else is equal.

    # about one CPU minute per seed
    OMP_NUM_THREADS=1 python benchmarks/merging.py --folder FOLDER --seeds 0 1 2 3 4

Finished parts are kept in the folder. `--smoke` runs a small version and keeps no
record.
"""

import copy
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

import torch
from adapter_merges import (
    DENSITY,
    combine,
    combine_factors,
    corrected,
    corrections_of,
    ties,
)
from fine_tuning import LORA
from finished import command_line, kept

from genai_tutorial import recipes
from genai_tutorial.alignment import (
    add_lora,
    pad_examples,
    supervised_loss,
)
from genai_tutorial.data import load_fact_split
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.arithmetic import (
    backward_scratchpad,
    encode_examples,
    random_products,
)
from genai_tutorial.tasks.assistant import (
    Question,
    ask_facts,
    demonstrate,
    encode_demonstrations,
    exact_matches,
    exam_questions,
)
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear
from genai_tutorial.transformer import DecoderLM

RELATIONS = ("language", "symbol")
TAUGHT, TOLD_QUESTIONS = 60, 40
LORA_STEPS, LORA_RATE = 60, 1e-2
STEPS, BATCH, RATE, POINTS = 160, 24, 1e-3, 11


def adapters(smoke: bool, seed: int) -> dict:
    """Train the adapters of one seed, merge them, and ask all models."""
    assistant, tokenizer = recipes.load("factbook-sft")
    assistant.eval()
    split, order = load_fact_split(), torch.Generator().manual_seed(seed)
    taught, asked = {}, {}
    for relation in RELATIONS:
        facts = [one for one in split.new_relations if one.relation == relation]
        drawn = [facts[place] for place in torch.randperm(len(facts), generator=order)]
        taught[relation] = drawn[:TAUGHT]
        asked[relation] = list(
            ask_facts(drawn[TAUGHT:], "held-out", per_fact=1, seed=seed)
        )
    told = exam_questions(split.told, TOLD_QUESTIONS)
    if smoke:
        told, asked = told[:4], {name: some[:6] for name, some in asked.items()}

    def train(relations: Sequence[str], start: int) -> DecoderLM:
        facts = [fact for relation in relations for fact in taught[relation]]
        rows = encode_demonstrations(
            tokenizer,
            demonstrate(ask_facts(facts, per_fact=4, seed=seed), seed, "sentence"),
            assistant.config.context_length,
        )
        model = copy.deepcopy(assistant).train()
        add_lora(model, LORA, torch.Generator().manual_seed(start))
        steps = (3 if smoke else LORA_STEPS) * len(relations)
        fit(
            model,
            TensorBatches(rows.tensors, 2, seed),
            supervised_loss,
            AdamW(
                [one for one in model.parameters() if one.requires_grad],
                lr=LORA_RATE,
                weight_decay=0.0,
            ),
            steps=steps,
            schedule=warmup_linear(steps, min(10, steps // 2)),
            progress=False,
        )
        return model.eval()

    since = time.process_time()
    alone = [train([name], 100 * seed + n) for n, name in enumerate(RELATIONS)]
    joint = train(RELATIONS, 100 * seed + 2)
    tasks = [corrections_of(model) for model in alone]
    models = {
        "none": assistant,
        f"{RELATIONS[0]} alone": alone[0],
        f"{RELATIONS[1]} alone": alone[1],
        "joint": joint,
        "average": corrected(assistant, combine(tasks, 0.5)),
        "sum": corrected(assistant, combine(tasks, 1.0)),
        "TIES": corrected(assistant, ties(tasks)),
        "factors": corrected(assistant, combine_factors(alone, 0.5)),
    }

    def share(model: DecoderLM, questions: Sequence[Question]) -> float:
        matches = exact_matches(model, tokenizer, questions)
        return round(sum(matches) / len(matches), 4)

    flat = [torch.cat([one.flatten() for one in task.values()]) for task in tasks]
    return {
        "seed": seed,
        "cosine": round(float(torch.cosine_similarity(*flat, dim=0)), 4),
        "items": {name: len(some) for name, some in (*asked.items(), ("told", told))},
        "constant": {
            name: round(
                Counter(one.answer for one in some).most_common(1)[0][1] / len(some), 4
            )
            for name, some in asked.items()
        },
        "exact": {
            name: {part: share(model, some) for part, some in asked.items()}
            | {"told": share(model, told)}
            for name, model in models.items()
        },
        "cpu_seconds": round(time.process_time() - since, 1),
    }


def barriers(smoke: bool, seed: int) -> dict:
    """Train the pairs of one seed, and measure the loss along the line between them."""
    start, _ = recipes.load("arithmetic-reasoner")
    rows = pad_examples(
        encode_examples(random_products(20_000, seed), backward_scratchpad)
    ).tensors[:2]
    judged = pad_examples(
        encode_examples(random_products(300, 1000, held_out=True), backward_scratchpad)
    ).tensors[:2]

    def train(model: DecoderLM, order: int) -> DecoderLM:
        steps = 4 if smoke else STEPS
        fit(
            model.train(),
            TensorBatches(rows, BATCH, order),
            supervised_loss,
            AdamW(model.parameters(), lr=RATE),
            steps=steps,
            schedule=warmup_linear(steps, min(10, steps // 2)),
            progress=False,
        )
        return model.eval()

    since, orders = time.process_time(), (seed, seed + 100)
    fresh = [train(DecoderLM(start.config, one), one) for one in orders]
    pairs = {
        "the same trained model": [train(copy.deepcopy(start), one) for one in orders],
        "the same random weights": [
            fresh[0],
            train(DecoderLM(start.config, orders[0]), orders[1]),
        ],
        "different random weights": fresh,
    }

    @torch.no_grad()
    def losses(one: DecoderLM, other: DecoderLM) -> list[float]:
        between, ends = copy.deepcopy(one), (one.state_dict(), other.state_dict())
        found = []
        for share in torch.linspace(0, 1, POINTS).tolist():
            weights = {
                name: torch.lerp(weight, ends[1][name], share)
                for name, weight in ends[0].items()
            }
            between.load_state_dict(weights)
            found.append(round(supervised_loss(between, *judged).item(), 4))
        return found

    return {
        "seed": seed,
        "start": round(supervised_loss(start.eval(), *judged).item(), 4),
        "losses": {name: losses(*pair) for name, pair in pairs.items()},
        "cpu_seconds": round(time.process_time() - since, 1),
    }


def main() -> None:
    parser = command_line(__doc__, [0])
    settings = parser.parse_args()
    parts = {}
    for part in (adapters, barriers):
        parts[part.__name__] = [
            kept(
                settings.folder / f"{part.__name__}-{seed}.json",
                partial(part, settings.smoke, seed),
            )
            for seed in settings.seeds
        ]
    if settings.smoke:
        return
    about = {
        "machine": describe_machine(),
        "settings": {
            "taught": TAUGHT,
            "adapter_steps": LORA_STEPS,
            "density": DENSITY,
            "product_steps": STEPS,
        },
    }
    keep_record("merging", about | parts)


if __name__ == "__main__":
    main()
