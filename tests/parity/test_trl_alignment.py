"""The book's losses and advantages are trl's: the same models, the same batches,
through trl's own trainers.

trl 1.12 is the last version with a PPO trainer; the others have all that is asked here
but PPO.
"""

import pytest
import torch

from genai_tutorial import alignment
from genai_tutorial.alignment.dpo import dpo_loss
from genai_tutorial.alignment.experience import kl_k1, kl_k3
from genai_tutorial.generation import Rollouts
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.drawn import normal, stirred
from tests.parity.weights import llama_names, llama_settings, same, same_gradients

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

END, PAD, VOCAB = 1, 13, 14
RATE = 0.02
NAMES = llama_names(2)
SCALAR_NAMES = llama_names(2, ours="decoder.", head=None) | {
    "score.weight": "head.weight"
}

# trl and the libraries below it warn of what is experimental or will change in them.
pytestmark = pytest.mark.filterwarnings("default")


def ours_of(seed, vocab=VOCAB):
    """A small Llama whose weights are not zero anywhere."""
    config = DecoderConfig.llama(vocab, 32, 16, 2, 4, 2, 24, norm_epsilon=1e-6)
    return stirred(DecoderLM(config, seed), seed, 0.3)


def theirs_of(model, config, kind, pairs):
    """The same weights in transformers' Llama."""
    settings = transformers.LlamaConfig(
        **llama_settings(config), num_labels=1, bos_token_id=None, eos_token_id=END,
        pad_token_id=PAD if config.vocab_size > PAD else None,
    )  # fmt: skip
    other, state = kind(settings), model.state_dict()
    other.load_state_dict({theirs: state[own] for theirs, own in pairs.items()})
    return other


def language_model(model):
    return theirs_of(model, model.config, transformers.LlamaForCausalLM, NAMES)


def scalar_model(seed, vocab=VOCAB):
    """A reward or value model, ours and theirs."""
    model = alignment.ScalarModel(ours_of(seed, vocab))
    with torch.no_grad():
        model.head.weight.copy_(normal(1, 16, seed=seed))
    kind = transformers.LlamaForSequenceClassification
    return model, theirs_of(model, model.decoder.config, kind, SCALAR_NAMES)


@pytest.fixture(scope="module")
def tokenizer():
    words = {"t0": 0, "<end>": END, **{f"t{n}": n for n in range(2, 13)}, "<pad>": PAD}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="t0"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<end>", pad_token="<pad>", unk_token="t0",
        padding_side="left",
    )  # fmt: skip


def settings_of(kind, folder, **more):
    return kind(
        output_dir=str(folder), report_to="none", use_cpu=True, bf16=False,
        disable_tqdm=True, gradient_checkpointing=False, save_strategy="no", **more,
    )  # fmt: skip


def text(*ids):
    return " ".join(f"t{n}" for n in ids)


def random_texts(count, least, most, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(least, most + 1, (count,), generator=generator).tolist()
    return [
        torch.randint(2, 13, (length,), generator=generator).tolist()
        for length in lengths
    ]


def batch_of(kind, settings, rows, tokenizer, folder, model, **more):
    """One of trl's trainers, its first batch, and its loss for the batch."""
    trainer = getattr(trl, f"{kind}Trainer")(
        model=model, processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list(rows),
        args=settings_of(getattr(trl, f"{kind}Config"), folder,
                         per_device_train_batch_size=len(rows), **settings), **more,
    )  # fmt: skip
    batch = next(iter(trainer.get_train_dataloader()))
    return batch, trainer.compute_loss(model, dict(batch))


def same_loss_and_gradients(found, expected, ours, theirs, names=NAMES):
    same(found, expected)
    found.backward()
    expected.backward()
    same_gradients(ours, theirs, names)


def answer_pairs(seed):
    """Prompts with a better and a worse answer."""
    parts = [random_texts(4, 1, 6, seed + n) for n in (0, 10, 20)]
    return [
        {"prompt": text(*p) + " ", "chosen": text(*g), "rejected": text(*b)}
        for p, g, b in zip(*parts, strict=True)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_supervised_loss_on_answers_only(seed, tokenizer, tmp_path):
    ours = ours_of(seed)
    theirs = language_model(ours)
    prompts, answers = random_texts(5, 2, 6, seed), random_texts(5, 1, 5, seed + 10)
    rows = [
        {"prompt": text(*p) + " ", "completion": text(*a)}
        for p, a in zip(prompts, answers, strict=True)
    ]
    settings = {"completion_only_loss": True}
    batch, expected = batch_of("SFT", settings, rows, tokenizer, tmp_path, theirs)
    # Laid out by us: the same examples, each with trl's end token, in another order and
    # with other padding.
    examples = alignment.pad_examples([
        alignment.Example(tuple(p), (*a, END))
        for p, a in zip(prompts, answers, strict=True)
    ])  # fmt: skip
    assert int((batch["labels"] != -100).sum()) == int(examples.is_answer.sum())
    found = alignment.supervised_loss(ours, *examples.tensors)
    same_loss_and_gradients(found, expected, ours, theirs)


@pytest.mark.parametrize("seed", range(3))
def test_packing_needs_as_few_rows(seed):
    from trl.data_utils import pack_dataset

    texts = random_texts(60, 2, 12, seed)
    rows = alignment.pack_examples(
        [alignment.Example(tuple(ids[:1]), tuple(ids[1:])) for ids in texts], 16
    )
    theirs = pack_dataset(datasets.Dataset.from_dict({"input_ids": texts}), 16, "bfd")
    assert len(rows.ids) == len(theirs)


@pytest.mark.parametrize("seed", range(3))
def test_reward_loss(seed, tokenizer, tmp_path):
    ours, theirs = scalar_model(seed)
    rows = answer_pairs(seed)
    batch, expected = batch_of("Reward", {}, rows, tokenizer, tmp_path, theirs)
    ids = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 0)
    lengths = batch["attention_mask"].sum(dim=1)
    assert lengths.min() < lengths.max()
    found = alignment.reward_loss(ours, ids[:4], lengths[:4], ids[4:], lengths[4:])
    same_loss_and_gradients(found, expected, ours, theirs, SCALAR_NAMES)


@pytest.mark.parametrize("beta", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(2))
def test_dpo_loss(seed, beta, tokenizer, tmp_path):
    ours, reference = ours_of(seed), ours_of(seed + 5)
    theirs = language_model(ours)
    batch, expected = batch_of(
        "DPO", {"beta": beta}, answer_pairs(seed), tokenizer, tmp_path, theirs,
        ref_model=language_model(reference),
    )  # fmt: skip
    ids, is_answer = batch["input_ids"], batch["completion_mask"].bool()
    sides = [(ids[part], is_answer[part]) for part in (slice(4), slice(4, 8))]
    with torch.no_grad():
        references = [alignment.answer_log_probs(reference, *side) for side in sides]
    found = dpo_loss(ours, *sides[0], *sides[1], *references, beta=beta)
    same_loss_and_gradients(found, expected, ours, theirs)


class PPORun:
    """trl's PPO trainer, run for one batch with plain gradient descent; what it
    generated and scored is kept.
    """

    def __init__(self, seed, tokenizer, folder, monkeypatch, **more):
        monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
        from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

        # Without the token that fills up, so that the models never write it.
        self.policy, self.reference = ours_of(seed, PAD), ours_of(seed + 5, PAD)
        self.value_model, self.their_value = scalar_model(seed + 6, PAD)
        self.reward_model, their_reward = scalar_model(seed + 7, PAD)
        self.their_policy = language_model(self.policy)
        # trl's head of a value model has no bias.
        self.value_model.head.bias.requires_grad_(False)
        models = self.policy, self.value_model
        self.trained = [
            one for model in models for one in model.parameters() if one.requires_grad
        ]
        generate, whitened = ppo_trainer.batch_generation, ppo_trainer.masked_whiten

        def record_generation(*arguments):
            self.ids, logits = generate(*arguments)
            return self.ids, logits

        def record_whitening(*arguments):
            self.advantages = whitened(*arguments)
            return self.advantages

        monkeypatch.setattr(ppo_trainer, "batch_generation", record_generation)
        monkeypatch.setattr(ppo_trainer, "masked_whiten", record_whitening)
        theirs = [*self.their_policy.parameters(), *self.their_value.parameters()]
        optimizer = torch.optim.SGD(theirs, lr=RATE)
        prompts = [{"input_ids": ids} for ids in random_texts(8, 3, 3, seed)]
        constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
        trainer = PPOTrainer(
            args=settings_of(
                PPOConfig, folder, per_device_train_batch_size=8, num_mini_batches=1,
                gradient_accumulation_steps=1, response_length=6, total_episodes=8,
                num_sample_generations=0, temperature=1.0, missing_eos_penalty=None,
                kl_coef=0.3, gamma=0.98, lam=0.9, cliprange=0.2, cliprange_value=0.2,
                vf_coef=0.1, seed=seed, **more,
            ),
            processing_class=tokenizer, model=self.their_policy,
            ref_model=language_model(self.reference), reward_model=their_reward,
            value_model=self.their_value, optimizers=(optimizer, constant),
            train_dataset=datasets.Dataset.from_list(prompts),
        )  # fmt: skip
        logged = []
        trainer.log = logged.append
        trainer.train()
        self.metrics = {name: torch.tensor(value) for name, value in logged[0].items()}

    def check_weights(self):
        """After training, ours are theirs."""
        for ours, theirs, names in (
            (self.policy, self.their_policy, NAMES),
            (self.value_model, self.their_value, SCALAR_NAMES),
        ):
            own, other = ours.state_dict(), theirs.state_dict()
            for name, mine in names.items():
                same(own[mine], other[name])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ppo_update_matches_trl(seed, tokenizer, tmp_path, monkeypatch):
    run = PPORun(seed, tokenizer, tmp_path, monkeypatch, num_ppo_epochs=3)
    policy, value_model, metrics = run.policy, run.value_model, run.metrics
    before = [model.head.weight.detach().clone() for model in (policy, value_model)]
    everywhere = torch.full((8,), 9)
    log_probs = alignment.token_log_probs(policy, run.ids).detach()
    log_probs[:, :2] = 0
    rollouts = Rollouts(
        run.ids, torch.full((8,), 3), everywhere, torch.zeros(8).bool(), log_probs
    )
    scores = run.reward_model.score(run.ids, everywhere).detach()
    experience = alignment.gather_experience(
        rollouts, run.reference, value_model, scores, 0.3, discount=0.98, decay=0.9
    )
    same(experience.advantages[:, 2:], run.advantages)
    settings = alignment.PPOSettings(epochs=3, minibatches=1, clip_norm=1e9)
    optimizer = torch.optim.SGD(run.trained, lr=RATE)
    report = alignment.ppo_update(policy, value_model, optimizer, experience, settings)
    assert report.clipped > 0
    run.check_weights()
    for model, start in zip((policy, value_model), before, strict=True):
        assert not torch.allclose(model.head.weight, start, atol=1e-3)
    same(torch.tensor(report.policy_loss), metrics["loss/policy_avg"])
    same(torch.tensor(report.value_loss), metrics["loss/value_avg"], atol=1e-4)
    same(torch.tensor(report.entropy), metrics["policy/entropy_avg"])
    same(experience.kl.mean(), metrics["objective/kl"])
    same(scores.mean(), metrics["objective/scores"])


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["k1", "k3"])
@pytest.mark.parametrize("seed", range(2))
def test_ppo_loss_with_answers_of_different_lengths(
    seed, estimator, tokenizer, tmp_path, monkeypatch
):
    """trl pays for an answer one step after its end token, at the first padding, and
    asks the value model there too.

    So its mask for rewards and values is a step longer than that for the policy, where
    an answer ended by itself.
    """
    run = PPORun(
        seed, tokenizer, tmp_path, monkeypatch, num_ppo_epochs=1, stop_token_id=END,
        kl_estimator=estimator,
    )  # fmt: skip
    policy, value_model, ids = run.policy, run.value_model, run.ids
    ended = ids[:, 3:] == END
    lengths = 3 + torch.where(ended.any(dim=1), ended.int().argmax(dim=1) + 1, 6)
    assert lengths.min() < lengths.max()
    steps = torch.arange(8)
    mask = (steps >= 2) & (steps < lengths[:, None] - 1)
    longer = (steps >= 2) & (steps < lengths[:, None])
    # What the value model reads; the reward model reads nothing after the end.
    log_probs = alignment.token_log_probs(policy, ids)
    values = value_model(ids)[:, :-1]
    with torch.no_grad():
        kl = {"k1": kl_k1, "k3": kl_k3}[estimator](
            log_probs, alignment.token_log_probs(run.reference, ids)
        )
        scores = run.reward_model.score(ids, lengths)
        old_values = values.masked_fill(~longer, 0.0)
        rewards = alignment.token_rewards(
            scores, kl.masked_fill(~mask, 0.0), longer, 0.3
        )
        advantages = alignment.generalized_advantage_estimate(
            rewards, old_values, longer, 0.98, 0.9
        )
        returns, whitened = advantages + old_values, alignment.whiten(advantages, mask)
    same(whitened[:, 2:], run.advantages.masked_fill(~mask[:, 2:], 0.0))
    ratio = (log_probs - log_probs.detach()).exp()
    policy_loss = alignment.clipped_policy_loss(ratio, whitened, mask, 0.2)
    value_loss = alignment.clipped_value_loss(values, old_values, returns, longer, 0.2)
    same(policy_loss.detach(), run.metrics["loss/policy_avg"])
    same(value_loss.detach(), run.metrics["loss/value_avg"])
    (policy_loss + 0.1 * value_loss).backward()
    torch.optim.SGD(run.trained, lr=RATE).step()
    run.check_weights()
