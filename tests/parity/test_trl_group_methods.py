"""GRPO's loss and its variants are trl's: the same answers, the same rewards, through
trl's own trainers.
"""

import pytest
import torch

from genai_tutorial.alignment import (
    CISPO,
    DAPO,
    GRPO,
    GSPO,
    RLOO,
    DrGRPO,
    group_relative_advantages,
    grpo_loss,
    token_log_probs,
)  # fmt: skip
from genai_tutorial.generation import Rollouts
from tests.drawn import normal
from tests.parity.test_trl_alignment import (
    language_model,
    ours_of,
    random_texts,
    settings_of,
    text,
)
from tests.parity.test_trl_alignment import tokenizer as tokenizer  # a fixture
from tests.parity.weights import same

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

MAX_TOKENS = 6
pytestmark = pytest.mark.filterwarnings("default")


def recorded_step(kind, model, tokenizer, folder, seed, **more):
    """Return what trl's trainer sampled, scored and computed in one step, as if the old
    policy and the reference had been others: else every ratio is one and every KL zero.
    """
    scored, seen, unshuffled = [], {}, {}

    def reward(completion_ids, **_):
        scored.extend(float(sum(ids) % 7) for ids in completion_ids)
        return scored

    # from where the trainer loads its reference
    model.save_pretrained(folder / "reference")
    model.config._name_or_path = str(folder / "reference")
    prompts = [{"prompt": text(*ids)} for ids in random_texts(2, 1, 5, seed)]
    trainer = getattr(trl, f"{kind}Trainer")(
        model=model, reward_funcs=reward, processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list(prompts),
        args=settings_of(
            getattr(trl, f"{kind}Config"), folder, per_device_train_batch_size=8,
            num_generations=4, max_completion_length=MAX_TOKENS, max_steps=1,
            learning_rate=0.0, seed=seed, **({"epsilon": 0.2} | more),
        ),
    )  # fmt: skip
    loss_of, generate = trainer._compute_loss, trainer._generate_and_score_completions

    def record_generation(inputs):
        # afterwards trl mixes the answers of all groups
        unshuffled.update(generate(inputs))
        return dict(unshuffled)

    def record(policy, inputs):
        shape = inputs["completion_ids"].shape
        noise = normal(2, *shape, seed=seed) / 3
        parts = [
            torch.cat((inputs[f"prompt_{part}"], inputs[f"completion_{part}"]), dim=1)
            for part in ("ids", "mask")
        ]
        with torch.no_grad():
            plain, *_ = trainer._get_per_token_logps_and_entropies(
                policy, *parts, shape[1]
            )
        old = plain + noise[0]
        inputs |= {
            "old_per_token_logps": old,
            "ref_per_token_logps": plain + noise[1],
            "old_logps": (old * inputs["completion_mask"]).sum(dim=1),
        }
        seen.update(inputs, loss=loss_of(policy, inputs))
        seen["gradient"] = torch.autograd.grad(
            seen["loss"], policy.lm_head.weight, retain_graph=True
        )[0]
        return seen["loss"]

    trainer._compute_loss = record
    trainer._generate_and_score_completions = record_generation
    trainer.train()
    return torch.tensor(scored).view(2, 4), unshuffled["advantages"], seen


def rollouts_of(seen):
    """trl fills prompts up at their beginning; ours stand at the beginning of the
    row.
    """
    masks = [seen[f"{part}_mask"].bool() for part in ("prompt", "completion")]
    rows = [
        torch.cat((prompt[shown], answer[written]))
        for prompt, answer, shown, written in zip(
            seen["prompt_ids"], seen["completion_ids"], *masks, strict=True
        )
    ]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    starts, written = (mask.sum(dim=1) for mask in masks)
    finished = torch.ones(len(ids)).bool()
    return Rollouts(
        ids, starts, starts + written, finished, torch.zeros(ids[:, 1:].shape)
    )


def with_kl(log_probs, old, advantages, mask, reference):
    return grpo_loss(
        log_probs, old, reference, advantages, mask, clip=0.2, kl_weight=0.1
    )


def without_kl(method):
    return method.advantages, lambda *args: method.loss(*args[:-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("advantages", "loss", "trainer", "more"),
    [
        # As in DeepSeekMath; by default trl now also weighs the KL by the ratio, as
        # DeepSeek-V3.2 does.
        (group_relative_advantages, with_kl, "GRPO",
         {"loss_type": "grpo", "beta": 0.1, "use_bias_correction_kl": False}),
        (*without_kl(GRPO()), "GRPO", {"loss_type": "grpo", "beta": 0.0}),
        (*without_kl(DrGRPO(MAX_TOKENS)), "GRPO",
         {"loss_type": "dr_grpo", "beta": 0.0, "scale_rewards": "none"}),
        (*without_kl(DAPO()), "GRPO",
         {"loss_type": "dapo", "beta": 0.0, "epsilon_high": 0.28}),
        (*without_kl(RLOO()), "RLOO", {"beta": 0.0}),
        (*without_kl(GSPO(0.1, 0.15)), "GRPO",
         {"loss_type": "grpo", "beta": 0.0, "importance_sampling_level": "sequence",
          "epsilon": 0.1, "epsilon_high": 0.15}),
        (*without_kl(CISPO(1.2)), "GRPO",
         {"loss_type": "cispo", "beta": 0.0, "epsilon_high": 1.2}),
    ],
    ids=["grpo with a KL", "grpo", "dr_grpo", "dapo", "rloo", "gspo", "cispo"],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(2))
def test_group_method(advantages, loss, trainer, more, seed, tokenizer, tmp_path):
    ours = ours_of(seed)
    scores, their_advantages, seen = recorded_step(
        trainer, language_model(ours), tokenizer, tmp_path, seed, **more
    )
    assert scores.std() > 0
    same(advantages(scores).flatten(), their_advantages)
    rollouts = rollouts_of(seen)
    assert rollouts.lengths.min() < rollouts.lengths.max()
    # Bring what belongs to the tokens of answers from trl's places to ours.
    old, reference = torch.zeros(2, *rollouts.mask.shape)
    for row, name in ((old, "old"), (reference, "ref")):
        row[rollouts.mask] = seen[f"{name}_per_token_logps"][
            seen["completion_mask"].bool()
        ]
    log_probs = token_log_probs(ours, rollouts.ids)
    found = loss(log_probs, old, seen["advantages"], rollouts.mask, reference)
    same(found, seen["loss"])
    found.backward()
    same(ours.head.weight.grad, seen["gradient"])
