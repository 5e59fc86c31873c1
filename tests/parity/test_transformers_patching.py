"""Lens, patched states and attributions equal a plain loop over transformers' Llama,
with the hooks and the hidden states that the library itself offers.
"""

import pytest
import torch

from genai_tutorial.interpretability import (
    ablated,
    attribution_patching,
    head_outputs,
    patched,
    patching_grid,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.drawn import integers, stirred
from tests.parity.weights import llama_names, llama_settings, same

transformers = pytest.importorskip("transformers")

CONFIG = DecoderConfig.llama(65, 16, 48, 3, 6, 2, 80)
IDS, SOURCE = integers(65, 4, 9), integers(65, 4, 9, seed=1)


@pytest.fixture(scope="module")
def pair():
    ours = stirred(DecoderLM(CONFIG, 0), 1, 0.1).requires_grad_(False)
    settings = llama_settings(CONFIG)
    theta = settings.pop("rope_theta")
    theirs = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            **settings,
            rope_parameters={"rope_type": "default", "rope_theta": theta},
            attn_implementation="eager",
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=None,
        )
    ).requires_grad_(False)
    state = ours.state_dict()
    names = llama_names(CONFIG.layers)
    theirs.load_state_dict({theirs: state[name] for theirs, name in names.items()})
    return ours, theirs.eval()


def states(theirs, ids):
    """Return the states before the first block and after each one, by hooks."""
    found = []
    layers = theirs.model.layers
    hooks = [layers[0].register_forward_pre_hook(lambda _, x: found.append(x[0]))]
    hooks += [
        layer.register_forward_hook(lambda _, __, x: found.append(first(x)))
        for layer in layers
    ]
    theirs(ids)
    for hook in hooks:
        hook.remove()
    return torch.stack(found)


def first(output):
    return output[0] if isinstance(output, tuple) else output


def test_lens_is_the_output_layer_on_every_hidden_state(pair):
    ours, theirs = pair
    lens = ours.logits(ours.hidden_states(IDS).flatten(0, 1))
    expected = theirs.lm_head(theirs.model.norm(states(theirs, IDS).flatten(0, 1)))
    same(lens, expected)
    # Their own list ends with the state after the final norm, not before it.
    listed = theirs(IDS, output_hidden_states=True).hidden_states
    same(ours.hidden_states(IDS)[:-1], torch.stack(listed[:-1]))
    same(ours.final_norm(ours.hidden_states(IDS)[-1]), listed[-1])


@pytest.mark.parametrize("state", [1, 2, 3])
def test_patched_state_gives_the_logits_of_a_hook_on_their_layer(pair, state):
    ours, theirs = pair
    vectors = states(theirs, SOURCE)[state][:, 4]

    def replace(_, __, output):
        changed = first(output).clone()
        changed[:, 4] = vectors
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    hook = theirs.model.layers[state - 1].register_forward_hook(replace)
    expected = theirs(IDS).logits
    hook.remove()
    with patched(ours, state, 4, ours.hidden_states(SOURCE)[state][:, 4]):
        same(ours(IDS), expected)
    grid = patching_grid(ours, IDS, SOURCE, [state], [4])
    same(ours.logits(grid[0])[0], expected[:, -1])


def test_patched_head_gives_the_logits_of_a_hook_on_their_output_layer(pair):
    ours, theirs = pair
    source = head_outputs(ours, SOURCE)
    layer, head, width = 1, 4, CONFIG.head_width

    def replace(_, inputs):
        changed = inputs[0].clone()
        part = slice(head * width, (head + 1) * width)
        changed[:, -1, part] = source[layer, :, -1, head]
        return (changed,)

    projection = theirs.model.layers[layer].self_attn.o_proj
    hook = projection.register_forward_pre_hook(replace)
    expected = theirs(IDS).logits
    hook.remove()
    mixed = head_outputs(ours, IDS)
    mixed[:, :, -1] = source[:, :, -1]
    with ablated(ours, [(layer, head)], mixed):
        same(ours(IDS), expected)


def test_attribution_patching_equals_their_gradients(pair):
    ours, theirs = pair
    source, own = head_outputs(ours, SOURCE), head_outputs(ours, IDS)
    inputs = []

    def watch(_, values):
        # The first layer's input starts the graph; the later ones depend on it.
        x = values[0] if inputs else values[0].requires_grad_()
        inputs.append(x)
        return (x,)

    hooks = [
        layer.self_attn.o_proj.register_forward_pre_hook(watch)
        for layer in theirs.model.layers
    ]
    last = theirs.model(IDS).last_hidden_state[:, -1]
    slopes = torch.autograd.grad(last.square().sum(), inputs)
    for hook in hooks:
        hook.remove()
    slope = torch.stack(slopes).unflatten(-1, (6, -1))
    expected = ((source - own) * slope)[:, :, -1].sum(dim=-1)
    found = attribution_patching(
        ours, IDS, source, lambda x: ours.final_norm(x).square().sum(dim=1)
    )
    same(found, expected, atol=1e-4, rtol=1e-4)
