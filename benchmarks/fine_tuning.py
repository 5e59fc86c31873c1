"""Compare ways of supervised fine-tuning: the number of demonstrated facts, the form of
the answers, the trained weights, and the tokens that the loss counts.

Each variant fine-tunes the base model of chapters 12 to 14. Afterwards the model
answers questions about facts of four kinds in held-out phrasings and about countries
that do not exist, and its loss on held-out articles shows what it has forgotten. The
seed determines which facts are demonstrated, their phrasings and their order; the test
questions are the same for all.

    # the runs that the record lacks, all seeds
    OMP_NUM_THREADS=1 python benchmarks/fine_tuning.py
    OMP_NUM_THREADS=1 python benchmarks/fine_tuning.py --seed 0  # one seed
    OMP_NUM_THREADS=1 python benchmarks/fine_tuning.py --only full sentences
    # three steps of each; nothing is kept
    OMP_NUM_THREADS=1 python benchmarks/fine_tuning.py --smoke
"""

import copy
import time
from dataclasses import dataclass, replace

import torch
from finished import script_parser
from torch import Tensor

from genai_tutorial.alignment import (
    LoRAConfig,
    add_lora,
    supervised_loss,
    train_token_rows,
    trained_parameter_count,
)
from genai_tutorial.data import load_absent, load_fact_split, load_facts
from genai_tutorial.metrics import evaluate_language_model
from genai_tutorial.recipes import FACTBOOK_BASE, load, load_corpus
from genai_tutorial.runtime import RECORDS, describe_machine, keep_record, record
from genai_tutorial.tasks.assistant import (
    CHAT,
    END_OF_TEXT,
    AnswerForm,
    GoldRule,
    Question,
    ask_facts,
    ask_invented,
    chat_answers,
    demonstrate,
    encode_demonstrations,
    exam_questions,
    invented_countries,
    is_exact,
    training_questions,
)
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear
from genai_tutorial.transformer import DecoderLM

SEEDS, BATCH, WARMUP_STEPS, QUESTIONS, PROSE_TOKENS = range(5), 2, 10, 120, 8192
PER_FACT = 2
# tokens of an answer that is judged; an answer without a courtesy has fewer
LONGEST: dict[AnswerForm, int] = {"bare": 16, "sentence": 28}
PARTS = ("taught", "told", "new_relations", "withheld")
LORA = LoRAConfig(
    rank=2,
    alpha=4,
    targets=(
        "query", "key", "value", "attention.output", "feed_forward.gate",
        "feed_forward.widen", "feed_forward.output",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One way to fine-tune.

    Attributes:
        facts: The number of demonstrated facts, drawn from those of `taught`; None for
            all of them.
        form: The form of the answers.
        unknown: The number of questions of each category without an answer whose
            demonstrated answer is "I do not know."
        lora: Whether LoRA is trained and the rest is frozen.
        trains_chat_tokens: With LoRA, whether the embeddings of the two tokens of the
            chat template are trained too.
        learning_rate: AdamW's.
        learns_prompts: Whether the loss counts the tokens of the question too.
        replay: The number of rows of pre-training text for each row of demonstrations.
        steps: The number of batches.
    """

    facts: int | None = None
    form: AnswerForm = "bare"
    unknown: int = 0
    lora: bool = False
    trains_chat_tokens: bool = True
    learning_rate: float = 1e-3
    learns_prompts: bool = False
    replay: float = 0.0
    steps: int = 400


VARIANTS = {
    "full": Variant(),
    "sentences": Variant(form="sentence"),
    "LoRA": Variant(lora=True, learning_rate=1e-2),
    "says when it does not know": Variant(unknown=60),
    "replay": Variant(replay=1 / 3),
    "prompts too": Variant(learns_prompts=True),
    "LoRA alone": Variant(lora=True, learning_rate=1e-2, trains_chat_tokens=False),
} | {f"{facts} facts": Variant(facts=facts, steps=200) for facts in (400, 100, 25)}


def draw(items: tuple, count: int | None, seed: int) -> tuple:
    """Draw `count` of the items; None takes all."""
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed))
    return (
        items
        if count is None
        else tuple(items[place] for place in order[:count].tolist())
    )


def training_rows(
    variant: Variant, tokenizer: BPETokenizer, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the training rows of a variant, as `supervised_loss` takes them."""
    split = load_fact_split()
    # Another seed than that of `questions`: the same one would demonstrate the very
    # facts that are asked about later.
    shown = replace(split, taught=draw(split.taught, variant.facts, 100 + seed))
    if variant.unknown:
        asked = training_questions(
            shown,
            load_absent(),
            per_fact=PER_FACT,
            unknown=variant.unknown,
            private=1,
            seed=seed,
        )
    else:
        asked = ask_facts(shown.taught, per_fact=PER_FACT, seed=seed)
    rows = encode_demonstrations(
        tokenizer,
        demonstrate(asked, seed, variant.form),
        FACTBOOK_BASE.config.context_length,
    )
    learned = rows.is_text if variant.learns_prompts else rows.is_answer
    tensors = (
        rows.ids,
        learned,
        rows.documents,
    )
    if variant.replay:
        prose = prose_rows(
            tokenizer, round(variant.replay * len(rows.ids)), rows.ids.shape[1]
        )
        tensors = tuple(map(torch.cat, zip(tensors, prose, strict=True)))
    return tensors


def prose_rows(
    tokenizer: BPETokenizer, count: int, length: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows of the prose that the base model was trained on; the loss counts all
    of their tokens.
    """
    articles = " ".join(load_corpus().sources["wikipedia"])
    ids = torch.tensor(
        tokenizer.encode(articles[: 8 * count * length])[: count * length]
    ).view(count, length)
    return ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids)


def fine_tune(
    base: DecoderLM, tokenizer: BPETokenizer, variant: Variant, seed: int, steps: int
) -> tuple[DecoderLM, int, float]:
    """Train a copy of the base model.

    Returns:
        The model, the number of trained weights, and the CPU seconds.
    """
    model, count = copy.deepcopy(base).train(), base.parameter_count()
    if variant.lora:
        add_lora(model, LORA, torch.Generator().manual_seed(seed))
        count = trained_parameter_count(model)
        if variant.trains_chat_tokens:
            count += train_token_rows(
                model.token_embedding,
                [tokenizer.special_tokens[name] for name in (CHAT.start, CHAT.end)],
            )
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    tensors = training_rows(variant, tokenizer, seed)
    started = time.process_time()
    fit(
        model,
        TensorBatches(tensors, BATCH, seed),
        supervised_loss,
        AdamW(trained, lr=variant.learning_rate, weight_decay=0.0),
        steps=steps,
        schedule=warmup_linear(steps, min(WARMUP_STEPS, steps // 2)),
        progress=False,
    )
    return model.eval(), count, time.process_time() - started


def questions() -> dict[str, list[Question]]:
    """Return the test questions of all models: about facts of each kind in held-out
    phrasings, and about countries that do not exist.
    """
    split = load_fact_split()
    asked = {part: exam_questions(getattr(split, part), QUESTIONS) for part in PARTS}
    asked["taught, trained words"] = list(
        draw(ask_facts(split.taught, "trained", 1), QUESTIONS, 0)
    )
    return asked | {
        "invented": list(
            ask_invented(invented_countries(QUESTIONS // 2, 1234), "held-out", 1)
        )
    }


def judge(
    model: DecoderLM, tokenizer: BPETokenizer, prose: Tensor, longest: int
) -> dict:
    """Return the shares of exact, right and claiming answers of each kind of question,
    and the loss on prose.
    """
    rule, exact, right, claims = GoldRule(load_facts()), {}, {}, {}
    for part, asked in questions().items():
        answers = chat_answers(
            model, tokenizer, CHAT, [one.text for one in asked], longest
        )
        pairs = list(zip(asked, answers, strict=True))
        claims[part] = sum(
            rule.response_type(one, answer) == "claims" for one, answer in pairs
        ) / len(pairs)
        if part != "invented":
            exact[part] = sum(is_exact(one, answer) for one, answer in pairs) / len(
                pairs
            )
            right[part] = sum(
                rule.is_right(one, answer) for one, answer in pairs
            ) / len(pairs)
    nats = evaluate_language_model(
        model, prose, FACTBOOK_BASE.config.context_length
    ).nats_per_token
    return {
        "exact": {part: round(share, 4) for part, share in exact.items()},
        "right": {part: round(share, 4) for part, share in right.items()},
        "claims": {part: round(share, 4) for part, share in claims.items()},
        "prose_nats_per_token": round(nats, 4),
    }


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--seed", type=int, help="one seed only")
    parser.add_argument(
        "--only", nargs="+", choices=VARIANTS, default=VARIANTS, help="some variants"
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="three steps of each, to see that everything runs; keeps nothing",
    )
    arguments = parser.parse_args()
    base, tokenizer = load(FACTBOOK_BASE.name)
    base.eval()
    end = tokenizer.special_tokens[END_OF_TEXT]
    held_out = [
        token
        for text in load_corpus().held_out
        for token in (*tokenizer.encode(text), end)
    ]
    prose = torch.tensor(held_out[:PROSE_TOKENS])
    there = (RECORDS / "fine_tuning.json").exists() and not arguments.smoke
    runs = record("fine_tuning")["runs"] if there else []

    def keep(row: dict) -> None:
        runs.append(row)
        print(row, flush=True)
        if not arguments.smoke:
            about = {
                "task": f"{Variant.steps} steps of {BATCH} rows of {FACTBOOK_BASE.config.context_length} tokens, half "  # noqa: E501
                f"as many for few facts; {QUESTIONS} questions of each kind, half as "
                "many on invented countries; "
                f"{PROSE_TOKENS} tokens of held-out prose; one thread, CPU seconds",
                "machine": describe_machine(),
                "weights": base.parameter_count(),
                "runs": runs,
            }
            keep_record("fine_tuning", about)

    done = {(row["name"], row["seed"]) for row in runs}
    if ("base", 0) not in done:
        keep(
            {
                "name": "base",
                "seed": 0,
                "trained_weights": 0,
                **judge(base, tokenizer, prose, LONGEST["bare"]),
            }
        )
    for name in arguments.only:
        variant = VARIANTS[name]
        for seed in SEEDS if arguments.seed is None else (arguments.seed,):
            if (name, seed) not in done:
                model, trained, seconds = fine_tune(
                    base,
                    tokenizer,
                    variant,
                    seed,
                    3 if arguments.smoke else variant.steps,
                )
                row = {
                    "name": name,
                    "seed": seed,
                    "trained_weights": trained,
                    "seconds": round(seconds, 1),
                }
                keep(row | judge(model, tokenizer, prose, LONGEST[variant.form]))


if __name__ == "__main__":
    main()
