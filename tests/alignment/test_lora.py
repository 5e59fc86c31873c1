import copy
import math

import pytest
import torch
from torch import nn

from genai_tutorial.alignment import (
    LoRAConfig,
    LoRALinear,
    add_lora,
    fold_lora,
    lora_layers,
    merge_lora,
    supervised_loss,
    train_token_rows,
    trained_parameter_count,
    without_lora,
)
from genai_tutorial.training import AdamW, build_optimizer, fit
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.alignment.models import CONFIGS, LLAMA, model_of, normal, random_ids
from tests.drawn import seeded

EVERYWHERE = LoRAConfig(
    rank=3, alpha=6, targets=("query", "key", "value", "output", "widen")
)


def learned(model, config=EVERYWHERE, seed=0):
    """The model with adapters that are no longer at their start."""
    add_lora(model, config, seeded(seed))
    with torch.no_grad():
        for number, (_, layer) in enumerate(lora_layers(model)):
            layer.up.copy_(0.3 * normal(*layer.up.shape, seed=number))
    return model


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_add_lora_leaves_the_outputs_unchanged(config):
    model, ids = model_of(config), random_ids(2, 8)
    before = model(ids)
    add_lora(model, EVERYWHERE, seeded())
    assert torch.equal(model(ids), before)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_merge_lora_equals_separate_corrections(config, seed):
    model, ids = learned(model_of(config, seed), seed=seed).double(), random_ids(2, 8)
    beside = model(ids)
    with without_lora(model):
        assert (model(ids) - beside).abs().max() > 0.1  # it does something
    merge_lora(model)
    merge_lora(model)  # a second time changes nothing
    torch.testing.assert_close(model(ids), beside, atol=1e-10, rtol=0)


def test_fold_lora_leaves_a_plain_model():
    plain = model_of(LLAMA)
    model, ids = learned(copy.deepcopy(plain)), random_ids(2, 8)
    beside = model(ids)
    fold_lora(model)
    assert not list(lora_layers(model))
    assert model.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(model(ids), beside, atol=1e-5, rtol=1e-5)


def test_training_moves_the_corrections_and_nothing_else():
    model, ids = model_of(LLAMA), random_ids(2, 8)
    frozen = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    add_lora(model, LoRAConfig(rank=2, targets=("query", "value")), seeded())
    batches = [(ids, torch.ones_like(ids, dtype=torch.bool))] * 30
    optimizer = build_optimizer(model)
    run = fit(model, batches, supervised_loss, optimizer, steps=30, progress=False)
    assert run.losses[-1] < run.losses[0] - 0.1
    assert all(layer.up.any() for _, layer in lora_layers(model))
    after = {n.replace(".base", ""): tensor for n, tensor in model.state_dict().items()}
    for name, tensor in frozen.items():
        assert torch.equal(after[name], tensor), name


def test_trained_parameter_count_equals_the_count_by_hand():
    model = model_of(LLAMA)
    everything = trained_parameter_count(model)
    assert everything == model.parameter_count()
    add_lora(model, LoRAConfig(rank=3, targets=("query", "value")), seeded())
    # Two layers; a query maps 16 to 16 features, a value 16 to 8 (two heads of four
    # serve four).
    assert trained_parameter_count(model) == 2 * (3 * (16 + 16) + 3 * (16 + 8))
    assert model.parameter_count() == everything + trained_parameter_count(model)


def test_targets_match_the_ends_of_layer_names():
    blocks = ("blocks.0", "blocks.1")
    for targets, names in (
        (("feed_forward.output",), [f"{b}.feed_forward.output" for b in blocks]),
        (
            ("output", "head"),
            [f"{b}.{p}.output" for b in blocks for p in ("attention", "feed_forward")]
            + ["head"],
        ),
    ):
        model = model_of(LLAMA)
        add_lora(model, LoRAConfig(targets=targets))
        assert [name for name, _ in lora_layers(model)] == names


def test_initial_weights_are_those_of_a_linear_layer_and_repeat_with_the_seed():
    layers = [LoRALinear(nn.Linear(400, 8), 16, 16, seeded(3)) for _ in range(2)]
    assert torch.equal(layers[0].down, layers[1].down)
    bound = 1 / math.sqrt(400)
    assert layers[0].down.abs().max() <= bound
    # a uniform distribution's
    assert layers[0].down.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert not layers[0].up.any()


def test_without_lora_is_the_model_before_and_ends_even_after_an_error():
    model, ids = learned(model_of(LLAMA)), random_ids(2, 8)
    after = model(ids)
    with without_lora(model):
        assert torch.equal(model(ids), model_of(LLAMA)(ids))
    assert torch.equal(model(ids), after)
    with pytest.raises(KeyError), without_lora(model):
        raise KeyError
    assert torch.equal(model(ids), after)
    merge_lora(model)
    with pytest.raises(ValueError, match="part of the weights"), without_lora(model):
        pass


def test_lora_config_refuses_wrong_settings():
    for settings, message in [
        ({"rank": 0}, "rank must be at least 1"),
        ({"alpha": 0}, "alpha must be above 0"),
        ({"targets": ()}, "at least one linear layer"),
    ]:
        with pytest.raises(ValueError, match=message):
            LoRAConfig(**settings)
    model = model_of(LLAMA)
    with pytest.raises(ValueError, match=r"no linear layer 'q_proj'; it has .*query"):
        add_lora(model, LoRAConfig(targets=("query", "q_proj")))
    # nothing was begun
    assert trained_parameter_count(model) == model.parameter_count()
    add_lora(model, EVERYWHERE)
    with pytest.raises(ValueError, match="has LoRA already"):
        add_lora(model, EVERYWHERE)


CONFIG = DecoderConfig.llama(12, 8, 8, 1, 2, None, 16, tied_embeddings=True)


def test_train_token_rows_moves_the_chosen_rows_only():
    model = DecoderLM(CONFIG, 0).requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    assert train_token_rows(model.token_embedding, [3, 7]) == 16
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert len(trained) == 1
    optimizer = AdamW(trained, lr=0.1, weight_decay=0.0)
    ids = torch.tensor([[1, 3, 5, 7, 2]])
    supervised_loss(model, ids, torch.ones_like(ids, dtype=torch.bool)).backward()
    optimizer.step()
    for name, weight in model.state_dict().items():
        if weight.shape != (12, 8):
            assert torch.equal(weight, before[name])
            continue
        moved = (weight != before[name]).any(dim=1).nonzero().flatten().tolist()
        assert moved == [3, 7]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([], "at least one"),
        ([2, 2], "must be different"),
        ([4], "4 tokens, got 4"),
        ([-1], "4 tokens"),
    ],
)
def test_train_token_rows_refuses_wrong_tokens(tokens, message):
    with pytest.raises(ValueError, match=message):
        train_token_rows(nn.Embedding(4, 2), tokens)
