"""The book's losses and advantages are trl's: the same models, the same batches,
through trl's own trainers.

trl 1.12 is the last version with a PPO trainer; the others have all that is asked here
but PPO.
"""

import copy

import pytest
import torch

from genai_tutorial import alignment
from genai_tutorial.alignment.dpo import dpo_loss
from genai_tutorial.alignment.experience import kl_k1, kl_k3
from genai_tutorial.generation import Rollouts
from genai_tutorial.pretrained import LAYER_NAMES
from genai_tutorial.transformer import DecoderConfig, DecoderLM

pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

END, PAD, VOCAB = 1, 13, 14
OUTER_NAMES = {"embed_tokens": "token_embedding", "norm": "final_norm"}

# trl and the libraries below it warn of what is experimental or will change in them.
pytestmark = pytest.mark.filterwarnings("default")


def ours_of(seed, vocab=VOCAB):
    """A small Llama whose weights are not zero anywhere."""
    model = DecoderLM(
        DecoderConfig.llama(vocab, 32, 16, 2, 4, 2, 24, norm_epsilon=1e-6), seed
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def names(head="lm_head.weight", ours=""):
    """Their names on the left, ours on the right."""
    found = {
        "model.embed_tokens.weight": f"{ours}token_embedding.weight",
        "model.norm.weight": f"{ours}final_norm.weight",
    }
    for layer in range(2):
        for theirs, own in LAYER_NAMES.items():
            found[f"model.layers.{layer}.{theirs}.weight"] = (
                f"{ours}blocks.{layer}.{own}.weight"
            )
    return found | {head: "head.weight"}


def theirs_of(model, kind, pairs):
    """The same weights in transformers' Llama."""
    config = (
        model.decoder.config
        if isinstance(model, alignment.ScalarModel)
        else model.config
    )
    settings = transformers.LlamaConfig(
        vocab_size=config.vocab_size, hidden_size=16, intermediate_size=24,
        num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=32, rms_norm_eps=1e-6,
        rope_theta=config.attention.rotary_base,
        num_labels=1, bos_token_id=None, eos_token_id=END,
        pad_token_id=PAD if config.vocab_size > PAD else None,
    )  # fmt: skip
    other, state = kind(settings), model.state_dict()
    other.load_state_dict({theirs: state[own] for theirs, own in pairs.items()})
    return other


def language_model(model):
    return theirs_of(model, transformers.LlamaForCausalLM, names())


def scalar_model(seed, vocab=VOCAB):
    """A reward or value model, ours and theirs."""
    model = alignment.ScalarModel(ours_of(seed, vocab))
    with torch.no_grad():
        model.head.weight.copy_(
            torch.randn(1, 16, generator=torch.Generator().manual_seed(seed))
        )
    pairs = names("score.weight", "decoder.")
    return (
        model,
        theirs_of(model, transformers.LlamaForSequenceClassification, pairs),
        pairs,
    )


@pytest.fixture(scope="module")
def tokenizer():
    words = {"t0": 0, "<end>": END, **{f"t{n}": n for n in range(2, 13)}, "<pad>": PAD}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="t0"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<end>",
        pad_token="<pad>",
        unk_token="t0",
        padding_side="left",
    )


def settings_of(kind, folder, **more):
    return kind(
        output_dir=str(folder), report_to="none", use_cpu=True, bf16=False,
        disable_tqdm=True,
        gradient_checkpointing=False, save_strategy="no", **more,
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


def same(ours, theirs, at_most=1e-5):
    torch.testing.assert_close(ours, theirs, atol=at_most, rtol=1e-5)


def same_gradients(ours, theirs, pairs):
    """After backward: every weight has got the same push."""
    own, other = dict(ours.named_parameters()), dict(theirs.named_parameters())
    for theirs_name, name in pairs.items():
        same(own[name].grad, other[theirs_name].grad)


@pytest.mark.parametrize("seed", range(3))
def test_supervised_loss_on_answers_only(seed, tokenizer, tmp_path):
    from trl import SFTConfig, SFTTrainer

    ours = ours_of(seed)
    theirs = language_model(ours)
    prompts, answers = random_texts(5, 2, 6, seed), random_texts(5, 1, 5, seed + 10)
    rows = [
        {"prompt": text(*p) + " ", "completion": text(*a)}
        for p, a in zip(prompts, answers, strict=True)
    ]
    trainer = SFTTrainer(
        model=theirs, processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list(rows),
        args=settings_of(SFTConfig, tmp_path, per_device_train_batch_size=5,
        completion_only_loss=True),
    )  # fmt: skip
    batch = next(iter(trainer.get_train_dataloader()))
    expected = trainer.compute_loss(theirs, dict(batch))
    # Laid out by us: the same examples, each with trl's end token, in another order and
    # with other padding.
    examples = alignment.pad_examples(
        [
            alignment.Example(tuple(p), (*a, END))
            for p, a in zip(prompts, answers, strict=True)
        ]
    )
    assert int((batch["labels"] != -100).sum()) == int(examples.is_answer.sum())
    found = alignment.supervised_loss(ours, *examples.tensors)
    same(found, expected)
    found.backward()
    expected.backward()
    same_gradients(ours, theirs, names())


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
    from trl import RewardConfig, RewardTrainer

    ours, theirs, pairs = scalar_model(seed)
    prompts, good, bad = (random_texts(4, 1, 6, seed + n) for n in (0, 10, 20))
    rows = [
        {"prompt": text(*p) + " ", "chosen": text(*g), "rejected": text(*b)}
        for p, g, b in zip(prompts, good, bad, strict=True)
    ]
    trainer = RewardTrainer(
        model=theirs, processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list(rows),
        args=settings_of(RewardConfig, tmp_path, per_device_train_batch_size=4),
    )  # fmt: skip
    batch = next(iter(trainer.get_train_dataloader()))
    ids, lengths = (
        batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 0),
        batch["attention_mask"].sum(dim=1),
    )
    assert lengths.min() < lengths.max()
    found = alignment.reward_loss(ours, ids[:4], lengths[:4], ids[4:], lengths[4:])
    expected = trainer.compute_loss(theirs, dict(batch))
    same(found, expected)
    found.backward()
    expected.backward()
    same_gradients(ours, theirs, pairs)


@pytest.mark.parametrize("beta", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(2))
def test_dpo_loss(seed, beta, tokenizer, tmp_path):
    from trl import DPOConfig, DPOTrainer

    ours, reference = ours_of(seed), ours_of(seed + 5)
    theirs = language_model(ours)
    prompts, good, bad = (random_texts(4, 1, 6, seed + n) for n in (0, 10, 20))
    rows = [
        {"prompt": text(*p) + " ", "chosen": text(*g), "rejected": text(*b)}
        for p, g, b in zip(prompts, good, bad, strict=True)
    ]
    trainer = DPOTrainer(
        model=theirs, ref_model=language_model(reference), processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list(rows),
        args=settings_of(DPOConfig, tmp_path, per_device_train_batch_size=4, beta=beta),
    )  # fmt: skip
    batch = next(iter(trainer.get_train_dataloader()))
    ids, is_answer = batch["input_ids"], batch["completion_mask"].bool()
    sides = [(ids[part], is_answer[part]) for part in (slice(4), slice(4, 8))]
    with torch.no_grad():
        references = [alignment.answer_log_probs(reference, *side) for side in sides]
    found = dpo_loss(ours, *sides[0], *sides[1], *references, beta=beta)
    expected = trainer.compute_loss(theirs, dict(batch))
    same(found, expected)
    found.backward()
    expected.backward()
    same_gradients(ours, theirs, names())


def rollouts_of(prompt_ids, prompt_mask, completion_ids, completion_mask):
    """trl fills prompts up at their beginning; ours stand at the beginning of the
    row.
    """
    width = prompt_ids.shape[1] + completion_ids.shape[1]
    ids = torch.zeros(len(prompt_ids), width, dtype=torch.long)
    for row in range(len(ids)):
        whole = torch.cat(
            (
                prompt_ids[row][prompt_mask[row].bool()],
                completion_ids[row][completion_mask[row].bool()],
            )
        )
        ids[row, : len(whole)] = whole
    starts = prompt_mask.sum(dim=1)
    lengths = starts + completion_mask.sum(dim=1)
    return Rollouts(
        ids,
        starts,
        lengths,
        torch.ones(len(ids), dtype=torch.bool),
        torch.zeros(len(ids), width - 1),
    )


def aligned(numbers, completion_mask, mask):
    """Brings what belongs to the tokens of answers from trl's places to ours."""
    found = numbers.new_zeros(mask.shape)
    found[mask] = numbers[completion_mask.bool()]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_grpo_loss_and_advantages(seed, tokenizer, tmp_path):
    """As in DeepSeekMath; by default trl now also weighs the KL by the ratio, as
    DeepSeek-V3.2 does.
    """
    from trl import GRPOConfig, GRPOTrainer

    ours = ours_of(seed)
    theirs = language_model(ours)
    # from where the trainer loads its reference
    theirs.save_pretrained(tmp_path / "reference")
    theirs.config._name_or_path = str(tmp_path / "reference")
    scored = []

    def reward(completion_ids, **_):
        scored.extend(float(sum(ids) % 7) for ids in completion_ids)
        return scored

    trainer = GRPOTrainer(
        model=theirs, reward_funcs=reward, processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list([{"prompt": text(*p)} for p in random_texts(2, 1, 5, seed)]),  # noqa: E501
        args=settings_of(
            GRPOConfig, tmp_path, per_device_train_batch_size=8, num_generations=4,
            max_completion_length=6,
            max_steps=1, loss_type="grpo", beta=0.1, learning_rate=0.0, epsilon=0.2,
            seed=seed,
            use_bias_correction_kl=False,
        ),
    )  # fmt: skip
    seen, unshuffled = {}, {}
    loss_of, generate = trainer._compute_loss, trainer._generate_and_score_completions

    def record_generation(inputs):
        # afterwards trl mixes the answers of all groups
        unshuffled.update(generate(inputs))
        return dict(unshuffled)

    def record(model, inputs):
        # As if the policy and the reference had been others: else every ratio is one
        # and every KL zero.
        noise = (
            torch.randn(
                2,
                *inputs["completion_ids"].shape,
                generator=torch.Generator().manual_seed(seed),
            )
            / 3
        )
        with torch.no_grad():
            plain, *_ = trainer._get_per_token_logps_and_entropies(
                model,
                torch.cat((inputs["prompt_ids"], inputs["completion_ids"]), dim=1),
                torch.cat((inputs["prompt_mask"], inputs["completion_mask"]), dim=1),
                inputs["completion_ids"].shape[1],
            )
        inputs |= {
            "old_per_token_logps": plain + noise[0],
            "ref_per_token_logps": plain + noise[1],
        }
        seen.update(inputs, loss=loss_of(model, inputs))
        seen["gradient"] = torch.autograd.grad(
            seen["loss"], model.lm_head.weight, retain_graph=True
        )[0]
        return seen["loss"]

    trainer._compute_loss, trainer._generate_and_score_completions = (
        record,
        record_generation,
    )
    trainer.train()
    groups = torch.tensor(scored).view(2, 4)
    assert groups.std() > 0
    same(
        alignment.group_relative_advantages(groups).flatten(), unshuffled["advantages"]
    )
    answer = seen["completion_mask"]
    rollouts = rollouts_of(
        seen["prompt_ids"], seen["prompt_mask"], seen["completion_ids"], answer
    )
    assert rollouts.lengths.min() < rollouts.lengths.max()
    log_probs = alignment.token_log_probs(ours, rollouts.ids)
    others = [
        aligned(seen[f"{name}_per_token_logps"], answer, rollouts.mask)
        for name in ("old", "ref")
    ]
    found = alignment.grpo_loss(
        log_probs, *others, seen["advantages"], rollouts.mask, clip=0.2, kl_weight=0.1
    )
    same(found, seen["loss"])
    found.backward()
    same(ours.head.weight.grad, seen["gradient"])


class PPORun:
    """trl's PPO trainer, run for one batch with plain gradient descent; what it
    generated and scored is kept.
    """

    def __init__(self, seed, tokenizer, folder, monkeypatch, **more):
        monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
        from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

        # Without the token that fills up, so that the models never write it.
        self.policy, self.reference = ours_of(seed, PAD), ours_of(seed + 5, PAD)
        self.value_model, self.their_value, self.value_names = scalar_model(
            seed + 6, PAD
        )
        self.reward_model, their_reward, _ = scalar_model(seed + 7, PAD)
        self.their_policy = language_model(self.policy)
        generate, whitened = ppo_trainer.batch_generation, ppo_trainer.masked_whiten

        def record_generation(*arguments):
            self.ids, logits = generate(*arguments)
            return self.ids, logits

        def record_whitening(*arguments):
            self.advantages = whitened(*arguments)
            return self.advantages

        monkeypatch.setattr(ppo_trainer, "batch_generation", record_generation)
        monkeypatch.setattr(ppo_trainer, "masked_whiten", record_whitening)
        self.rate = 0.02
        optimizer = torch.optim.SGD(
            [*self.their_policy.parameters(), *self.their_value.parameters()],
            lr=self.rate,
        )
        prompts = [{"input_ids": ids} for ids in random_texts(8, 3, 3, seed)]
        trainer = PPOTrainer(
            args=settings_of(
                PPOConfig, folder, per_device_train_batch_size=8,
                gradient_accumulation_steps=1, num_mini_batches=1,
                response_length=6, total_episodes=8, num_sample_generations=0,
                temperature=1.0,
                missing_eos_penalty=None, kl_coef=0.3, gamma=0.98, lam=0.9,
                cliprange=0.2, cliprange_value=0.2,
                vf_coef=0.1, seed=seed, **more,
            ),
            processing_class=tokenizer, model=self.their_policy,
            ref_model=language_model(self.reference),
            reward_model=their_reward, value_model=self.their_value,
            train_dataset=datasets.Dataset.from_list(prompts),
            optimizers=(optimizer,
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)),
        )  # fmt: skip
        logged = []
        trainer.log = logged.append
        trainer.train()
        self.metrics = logged[0]

    def after(self):
        """Pairs of weights that must be equal after training: ours and theirs."""
        for ours, theirs, pairs in (
            (self.policy, self.their_policy, names()),
            (self.value_model, self.their_value, self.value_names),
        ):
            own, other = dict(ours.named_parameters()), dict(theirs.named_parameters())
            yield from (
                (own[name], other[their_name]) for their_name, name in pairs.items()
            )


def frozen_bias(model):
    """trl's head of a value model has no bias."""
    model.head.bias.requires_grad_(False)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ppo_update_matches_trl(seed, tokenizer, tmp_path, monkeypatch):
    run = PPORun(seed, tokenizer, tmp_path, monkeypatch, num_ppo_epochs=3)
    policy, value_model = run.policy, frozen_bias(run.value_model)
    before = [copy.deepcopy(model.state_dict()) for model in (policy, value_model)]
    everywhere = torch.full((8,), 9)
    log_probs = alignment.token_log_probs(policy, run.ids).detach()
    log_probs[:, :2] = 0
    rollouts = Rollouts(
        run.ids,
        torch.full((8,), 3),
        everywhere,
        torch.zeros(8, dtype=torch.bool),
        log_probs,
    )
    scores = run.reward_model.score(run.ids, everywhere).detach()
    experience = alignment.gather_experience(
        rollouts, run.reference, value_model, scores, 0.3, discount=0.98, decay=0.9
    )
    same(experience.advantages[:, 2:], run.advantages)
    settings = alignment.PPOSettings(epochs=3, minibatches=1, clip_norm=1e9)
    optimizer = torch.optim.SGD(
        [
            one
            for model in (policy, value_model)
            for one in model.parameters()
            if one.requires_grad
        ],
        lr=run.rate,
    )
    report = alignment.ppo_update(policy, value_model, optimizer, experience, settings)
    assert report.clipped > 0
    for ours, theirs in run.after():
        same(ours, theirs)
    assert not torch.allclose(policy.head.weight, before[0]["head.weight"], atol=1e-3)
    assert not torch.allclose(
        value_model.head.weight, before[1]["head.weight"], atol=1e-3
    )
    same(torch.tensor(report.policy_loss), torch.tensor(run.metrics["loss/policy_avg"]))
    same(
        torch.tensor(report.value_loss),
        torch.tensor(run.metrics["loss/value_avg"]),
        at_most=1e-4,
    )
    same(torch.tensor(report.entropy), torch.tensor(run.metrics["policy/entropy_avg"]))
    same(experience.kl.mean(), torch.tensor(run.metrics["objective/kl"]))
    same(scores.mean(), torch.tensor(run.metrics["objective/scores"]))


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
        seed,
        tokenizer,
        tmp_path,
        monkeypatch,
        num_ppo_epochs=1,
        stop_token_id=END,
        kl_estimator=estimator,
    )
    policy, value_model, ids = run.policy, frozen_bias(run.value_model), run.ids
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
    same(policy_loss.detach(), torch.tensor(run.metrics["loss/policy_avg"]))
    same(value_loss.detach(), torch.tensor(run.metrics["loss/value_avg"]))
    trained = [
        one
        for model in (policy, value_model)
        for one in model.parameters()
        if one.requires_grad
    ]
    optimizer = torch.optim.SGD(trained, lr=run.rate)
    (policy_loss + 0.1 * value_loss).backward()
    optimizer.step()
    for ours, theirs in run.after():
        same(ours, theirs)
