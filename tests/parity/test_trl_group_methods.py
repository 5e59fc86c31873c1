"""GRPO's variants are trl's: the same answers, the same rewards,
through trl's own trainers.
"""

import pytest
import torch

from genai_tutorial.alignment import DAPO, GRPO, RLOO, DrGRPO, token_log_probs
from tests.parity.test_trl_alignment import (
    aligned,
    language_model,
    ours_of,
    random_texts,
    rollouts_of,
    same,
    settings_of,
    text,
)
from tests.parity.test_trl_alignment import tokenizer as tokenizer  # a fixture

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

MAX_TOKENS = 6
pytestmark = pytest.mark.filterwarnings("default")


def recorded_step(make_trainer, make_config, model, tokenizer, folder, seed, **more):
    """Return what trl's trainer sampled, scored and computed in one step, with noise on
    the old log-probabilities, so that some ratios are clipped.
    """
    scored, seen, unshuffled = [], {}, {}

    def reward(completion_ids, **_):
        scored.extend(float(sum(ids) % 7) for ids in completion_ids)
        return scored

    prompts = [{"prompt": text(*ids)} for ids in random_texts(2, 1, 5, seed)]
    trainer = make_trainer(
        model=model, reward_funcs=reward, processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list(prompts),
        args=settings_of(
            make_config, folder, per_device_train_batch_size=8, num_generations=4,
            max_completion_length=MAX_TOKENS, max_steps=1, beta=0.0, learning_rate=0.0,
            epsilon=0.2, seed=seed, **more,
        ),
    )  # fmt: skip
    loss_of, generate = trainer._compute_loss, trainer._generate_and_score_completions

    def record_generation(inputs):
        unshuffled.update(generate(inputs))
        return dict(unshuffled)

    def record(policy, inputs):
        shape = inputs["completion_ids"].shape
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) / 3
        with torch.no_grad():
            plain, *_ = trainer._get_per_token_logps_and_entropies(
                policy,
                torch.cat((inputs["prompt_ids"], inputs["completion_ids"]), dim=1),
                torch.cat((inputs["prompt_mask"], inputs["completion_mask"]), dim=1),
                shape[1],
            )
        old = plain + noise
        inputs |= {
            "old_per_token_logps": old,
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "trainer", "more"),
    [
        (GRPO(), "GRPO", {"loss_type": "grpo"}),
        (DrGRPO(MAX_TOKENS), "GRPO", {"loss_type": "dr_grpo", "scale_rewards": "none"}),
        (DAPO(), "GRPO", {"loss_type": "dapo", "epsilon_high": 0.28}),
        (RLOO(), "RLOO", {}),
    ],
    ids=["grpo", "dr_grpo", "dapo", "rloo"],
)
@pytest.mark.parametrize("seed", range(2))
def test_group_method(method, trainer, more, seed, tokenizer, tmp_path):
    ours = ours_of(seed)
    scores, their_advantages, seen = recorded_step(
        getattr(trl, f"{trainer}Trainer"),
        getattr(trl, f"{trainer}Config"),
        language_model(ours),
        tokenizer,
        tmp_path,
        seed,
        **more,
    )
    assert scores.std() > 0
    same(method.advantages(scores).flatten(), their_advantages)
    answer = seen["completion_mask"]
    rollouts = rollouts_of(
        seen["prompt_ids"], seen["prompt_mask"], seen["completion_ids"], answer
    )
    assert rollouts.lengths.min() < rollouts.lengths.max()
    log_probs = token_log_probs(ours, rollouts.ids)
    old = aligned(seen["old_per_token_logps"], answer, rollouts.mask)
    found = method.loss(log_probs, old, seen["advantages"], rollouts.mask)
    same(found, seen["loss"])
    found.backward()
    same(ours.head.weight.grad, seen["gradient"])
