"""IPO, KTO, SimPO and ORPO have trl's losses and gradients: the same models and pairs,
through trl's own trainers.
"""

import pytest
import torch

from genai_tutorial.alignment import (
    answer_log_probs,
    ipo_losses,
    kto_losses,
    orpo_losses,
    simpo_losses,
    token_log_probs,
)
from tests.parity.test_trl_alignment import (
    answer_pairs,
    batch_of,
    language_model,
    ours_of,
    same_loss_and_gradients,
    settings_of,
)
from tests.parity.test_trl_alignment import tokenizer as tokenizer  # a fixture

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

BETA = 0.3
pytestmark = pytest.mark.filterwarnings("default")


def sums(model, ids, is_answer):
    """The log-probabilities of the chosen and of the rejected answers."""
    return answer_log_probs(model, ids, is_answer).chunk(2)


def lengths(is_answer):
    return is_answer.sum(dim=1).chunk(2)


@pytest.mark.parametrize("seed", range(2))
def test_ipo_losses_of_means_per_token_are_trls(seed, tokenizer, tmp_path):
    ours, reference = ours_of(seed), ours_of(seed + 5)
    theirs = language_model(ours)
    batch, expected = batch_of(
        "DPO", {"beta": BETA, "loss_type": "ipo"}, answer_pairs(seed), tokenizer,
        tmp_path, theirs, ref_model=language_model(reference),
    )  # fmt: skip
    ids, is_answer = batch["input_ids"], batch["completion_mask"].bool()
    tokens = lengths(is_answer) * 2
    both = *sums(ours, ids, is_answer), *sums(reference, ids, is_answer)
    means = [side / count for side, count in zip(both, tokens, strict=True)]
    found = ipo_losses(
        *(side.detach() if n > 1 else side for n, side in enumerate(means)), BETA
    )
    same_loss_and_gradients(found.mean(), expected, ours, theirs)


@pytest.mark.parametrize("seed", range(2))
def test_kto_losses_are_trls(seed, tokenizer, tmp_path):
    ours, reference = ours_of(seed), ours_of(seed + 5)
    theirs = language_model(ours)
    rows = [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
        for side in ("chosen", "rejected")
        for row in answer_pairs(seed)
    ]
    batch, expected = batch_of(
        "KTO", {"beta": BETA}, rows, tokenizer, tmp_path, theirs,
        ref_model=language_model(reference),
    )  # fmt: skip
    good = batch["label"].bool()
    order = torch.cat((good.nonzero()[:, 0], (~good).nonzero()[:, 0]))
    ids = batch["input_ids"][order], batch["completion_mask"][order].bool()
    mismatched = batch["KL_input_ids"], batch["KL_completion_mask"].bool()
    with torch.no_grad():
        known = sums(reference, *ids)
        kl = (
            answer_log_probs(ours, *mismatched)
            - answer_log_probs(reference, *mismatched)
        ).mean()
    found = kto_losses(*sums(ours, *ids), *known, kl, BETA).mean()
    same_loss_and_gradients(found, expected, ours, theirs)


def experimental(kind, settings, seed, tokenizer, folder, theirs, monkeypatch):
    """The first batch of one of trl's experimental trainers, as our rows, and its
    loss.
    """
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    module = __import__(f"trl.experimental.{kind.lower()}", fromlist=[kind])
    rows = answer_pairs(seed)
    trainer = getattr(module, f"{kind}Trainer")(
        model=theirs, processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list(rows),
        args=settings_of(
            getattr(module, f"{kind}Config"), folder, max_length=64,
            per_device_train_batch_size=len(rows), beta=BETA, **settings,
        ),
    )  # fmt: skip
    batch = next(iter(trainer.get_train_dataloader()))
    expected, _ = trainer.get_batch_loss_metrics(theirs, dict(batch))
    widest = max(batch[f"{side}_input_ids"].shape[1] for side in ("chosen", "rejected"))
    ids, is_answer, is_text = (
        torch.cat(
            [
                torch.nn.functional.pad(
                    batch[f"{side}_{part}"],
                    (0, widest - batch[f"{side}_{part}"].shape[1]),
                    value=padding,
                )
                for side in ("chosen", "rejected")
            ]
        )
        for part, padding in (("input_ids", 0), ("labels", -100), ("attention_mask", 0))
    )
    return ids, is_answer >= 0, is_text.bool(), expected


@pytest.mark.parametrize("seed", range(2))
def test_simpo_losses_are_trls(seed, tokenizer, tmp_path, monkeypatch):
    ours = ours_of(seed)
    theirs = language_model(ours)
    settings = {"loss_type": "simpo", "simpo_gamma": 0.5, "cpo_alpha": 0.0}
    ids, is_answer, _, expected = experimental(
        "CPO", settings, seed, tokenizer, tmp_path, theirs, monkeypatch
    )
    means = [
        side / count
        for side, count in zip(
            sums(ours, ids, is_answer), lengths(is_answer), strict=True
        )
    ]
    found = simpo_losses(*means, BETA, margin=0.5).mean()
    same_loss_and_gradients(found, expected, ours, theirs)


@pytest.mark.parametrize("seed", range(2))
def test_orpo_losses_are_trls(seed, tokenizer, tmp_path, monkeypatch):
    """trl fine-tunes on the prompts too, and weighs all tokens of the batch alike; the
    paper and we take the mean over each answer. The term of the odds is the same.
    """
    ours = ours_of(seed)
    theirs = language_model(ours)
    ids, is_answer, is_text, expected = experimental(
        "ORPO", {}, seed, tokenizer, tmp_path, theirs, monkeypatch
    )
    chosen, rejected = (
        side / count
        for side, count in zip(
            sums(ours, ids, is_answer), lengths(is_answer), strict=True
        )
    )
    read = is_text[:4, 1:]
    fine_tuning = -token_log_probs(ours, ids[:4])[read].mean()
    found = (orpo_losses(chosen, rejected, BETA) + chosen).mean() + fine_tuning
    same_loss_and_gradients(found, expected, ours, theirs)
