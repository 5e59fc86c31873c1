"""GRPO, GSPO and CISPO where they differ, with several updates per batch; and a reward
for each correct step, beside a reward for the final answer, a reward for the final
answer and the form, and training on the true steps themselves.

`updates` starts from `arithmetic-reasoner`, which each seed first fine-tunes to answer
without its working in most cases, as `reasoning.py` does with its own model. `steps`
starts from that script's model of products that has half learned two ways to answer,
with the same seeds.

    # about three CPU minutes per seed
    python benchmarks/group_methods.py --folder FOLDER --seeds 0 1 2 3 4

Finished parts are kept in the folder. With `--runs-only` nothing is recorded.
"""

from functools import partial

from finished import command_line, kept
from reasoning import CONFIG, Budget, Products, Smoke, Study, fine_tune

from genai_tutorial import recipes
from genai_tutorial.alignment import (
    CISPO,
    GRPO,
    GSPO,
    ExactAnswer,
    GRPOSettings,
    learn_by_grpo,
    pad_examples,
    supervised_loss,
)
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.arithmetic import (
    ARITHMETIC_TOKENIZER,
    END_TOKEN,
    MAX_SUM_TOKENS,
    backward_scratchpad,
    backwards,
    encode_examples,
    encode_questions,
)
from genai_tutorial.training import AdamW, TensorBatches, fit
from genai_tutorial.transformer import DecoderLM

STEPS, PASSES = 10, 4
TERSE_RATE = 5e-4
METHODS = {
    "GRPO": GRPO(),
    "GSPO, the paper's clip": GSPO(),
    "GSPO, GRPO's clip": GSPO(0.2, 0.2),
    "CISPO": CISPO(),
}


def correct_steps(answer: str, truth: str) -> float:
    """Return the share of the worked answer's numbers, the final one included, that an
    answer has in their places: a process reward.

    >>> correct_steps("34,511;991", "34,511;991"), correct_steps("34,5;9", "34,511;991")
    (1.0, 0.3333333333333333)
    >>> correct_steps("991", "34,511;991"), correct_steps("34;511;991", "34,511;991")
    (0.3333333333333333, 0.0)
    """
    *working, final = answer.split(";")
    true_working, true_final = truth.split(";")
    true_steps = true_working.split(",")
    if len(working) > 1:
        return 0.0
    steps = working[0].split(",") if working else []
    right = sum(step == true for step, true in zip(steps, true_steps, strict=False))
    return (right + (final == true_final)) / (len(true_steps) + 1)


def form_and_answer(answer: str, truth: str) -> float:
    """Return half a point for as many steps as the worked answer has, correct or not,
    and half a point for its final answer: the opponent that reads no step.

    >>> form_and_answer("1,2;991", "34,511;991"), form_and_answer("991", "34,511;991")
    (1.0, 0.5)
    >>> form_and_answer("1,2;9;991", "34,511;991")
    0.0
    """
    *working, final = answer.split(";")
    true_working, true_final = truth.split(";")
    if len(working) > 1:
        return 0.0
    same_form = bool(working) and working[0].count(",") == true_working.count(",")
    return (same_form + (final == true_final)) / 2


def learn(
    study: Study, model: DecoderLM, verifier, truths, settings, method, measure
) -> dict:
    """Train a policy; return its reward along the way and its measures."""
    policy, history = learn_by_grpo(
        model,
        encode_questions(study.learning),
        truths,
        verifier,
        settings,
        decode=ARITHMETIC_TOKENIZER.decode,
        end_token=END_TOKEN,
        method=method,
        seed=study.seed,
        progress=False,
    )
    return {
        "reward": [round(step.reward, 4) for step in history],
        "after": measure(study, policy),
    }


def terse_solver(study: Study) -> tuple[DecoderLM, dict]:
    """Fine-tune the packaged solver until fewer than half of its sampled answers show
    their working; return it with its measures.
    """
    model, _ = recipes.load("arithmetic-reasoner")
    budget = study.budget
    for _ in range(8):
        model = fine_tune(
            model,
            study.seed,
            budget,
            backwards,
            backward_scratchpad,
            budget.terse_worked,
            budget.terse_steps,
            TERSE_RATE,
        )
        before = study.measure(model, backward_scratchpad)
        if before["worked"] < 0.5:
            break
    return model, before


def updates(study: Study) -> dict:
    """Run each method from one terse model, with several updates per batch."""
    terse, before = terse_solver(study)
    truths = [backwards(question) for question in study.learning]
    settings = GRPOSettings(
        min(STEPS, study.budget.grpo_steps),
        max_new_tokens=MAX_SUM_TOKENS,
        passes=PASSES,
    )
    return {
        "seed": study.seed,
        "before": before,
        "runs": {
            name: learn(
                study,
                terse,
                ExactAnswer(),
                truths,
                settings,
                method,
                lambda study, policy: study.measure(policy, backward_scratchpad),
            )
            for name, method in METHODS.items()
        },
    }


def measure_steps(study: Products, model: DecoderLM) -> dict:
    """Return the usual measures and, of the same sampled answers, the mean share of
    correct steps and the share of correct final answers after only correct steps.
    """
    samples = study.samples(model, is_backward=True)
    scored = [
        (correct_steps(sample.text, truth), ExactAnswer()(sample.text, backwards(one)))
        for one, row in zip(study.asked, samples, strict=True)
        for truth in [backward_scratchpad(one)]
        for sample in row
    ]
    clean = [steps == 1 for steps, final in scored if final]
    return study.measure(model, backward_scratchpad) | {
        "correct_steps": round(sum(steps for steps, _ in scored) / len(scored), 4),
        "clean": round(sum(clean) / max(1, len(clean)), 4),
    }


def imitate(study: Products, model: DecoderLM, settings: GRPOSettings) -> dict:
    """Train on the written steps that the process reward compares with: as many updates
    with as many answers, which nobody has to sample.
    """
    policy = DecoderLM(CONFIG, study.seed)
    policy.load_state_dict(model.state_dict())
    rows = pad_examples(encode_examples(study.learning, backward_scratchpad))
    answers = settings.batch_size * settings.group_size
    fit(
        policy,
        TensorBatches(rows.tensors[:2], min(answers, len(rows.ids)), study.seed),
        supervised_loss,
        AdamW(policy.parameters(), lr=settings.learning_rate),
        steps=settings.steps,
        progress=False,
    )
    return {"after": measure_steps(study, policy.eval())}


def steps(study: Products) -> dict:
    """Reward the half-trained model of products for final answers, for steps, and for
    the form of steps; and train it on the true steps.
    """
    model, _ = study.train([backwards, backward_scratchpad])
    settings = GRPOSettings(study.budget.grpo_steps, max_new_tokens=MAX_SUM_TOKENS)
    rewards = {
        "final answer": (ExactAnswer(), backwards),
        "form and final answer": (form_and_answer, backward_scratchpad),
        "each step": (correct_steps, backward_scratchpad),
    }
    before = measure_steps(study, model.eval())
    runs = {
        name: learn(
            study,
            model,
            verifier,
            [write(question) for question in study.learning],
            settings,
            GRPO(),
            measure_steps,
        )
        for name, (verifier, write) in rewards.items()
    }
    runs["true steps, no reward"] = imitate(study, model, settings)
    return {"seed": study.seed, "before": before, "runs": runs}


def main() -> None:
    parser = command_line(__doc__, [0])
    parser.add_argument("--runs-only", action="store_true", help="record nothing")
    settings = parser.parse_args()
    budget = Smoke if settings.smoke else Budget
    parts: dict[str, list] = {"updates": [], "steps": []}
    for seed in settings.seeds:
        for part, kind in ((updates, Study), (steps, Products)):
            study = kind(budget, settings.folder, seed)
            path = settings.folder / f"{part.__name__}-{seed}.json"
            parts[part.__name__].append(kept(path, partial(part, study)))
    if settings.smoke or settings.runs_only:
        return
    about = {
        "machine": describe_machine(),
        "passes": PASSES,
        "budget": {
            name: value
            for name, value in vars(Budget).items()
            if not name.startswith("_")
        }
        | {"update_steps": STEPS},
    }
    keep_record("group_methods", about | parts)


if __name__ == "__main__":
    main()
