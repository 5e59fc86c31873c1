"""A personal adapter, merged by peft and by the book, is the same model."""

import pytest
import torch

from genai_tutorial.alignment import LoRAConfig, fold_lora, lora_layers
from genai_tutorial.edge import ALL_MATRICES, PersonalSettings, personalize
from tests.edge.models import CONFIGS, disturbed, tokens

peft = pytest.importorskip("peft")


@torch.no_grad()
def test_personal_adapter_merges_as_in_peft():
    model = disturbed(CONFIGS["Llama"])
    with torch.enable_grad():
        ours = personalize(
            model,
            torch.arange(13).repeat(10),
            PersonalSettings(LoRAConfig(3, 7, ALL_MATRICES), 10, 4, 8, 0.02),
            progress=False,
        )
    settings = peft.LoraConfig(r=3, lora_alpha=7, target_modules=list(ALL_MATRICES))
    theirs = peft.get_peft_model(disturbed(CONFIGS["Llama"]), settings)
    for name, layer in lora_layers(ours):
        other = theirs.base_model.model.get_submodule(name)
        other.lora_A["default"].weight.copy_(layer.down)
        other.lora_B["default"].weight.copy_(layer.up)
    ids = tokens(0, 3, 9)
    apart = ours(ids)
    assert (apart - model(ids)).abs().max() > 0.01  # it has learned something
    torch.testing.assert_close(theirs(ids), apart, atol=1e-5, rtol=1e-5)
    fold_lora(ours)
    whole = theirs.merge_and_unload()
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(
            value, whole.state_dict()[name], atol=1e-6, rtol=1e-6
        )
