"""The tool-calling adapter: it shares its matrices with the decoder; a run resumes."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.alignment import add_lora, lora_layers, supervised_loss
from genai_tutorial.pretrained import load_smollm2_tokenizer
from genai_tutorial.recipes import SMOLLM2_TOOLS, smollm2_tools
from genai_tutorial.recipes.smollm2_tools import Adapter
from genai_tutorial.tasks.tool_use import encode_traces, taught_tasks, trace_loss
from genai_tutorial.transformer import DecoderConfig, DecoderLM


@pytest.fixture
def small(monkeypatch):
    """A recipe whose SmolLM2 is a small model with random weights."""
    tokenizer = load_smollm2_tokenizer()

    def load():
        config = DecoderConfig.llama(tokenizer.vocab_size, 256, 48, 1, 2, 2, 96)
        return DecoderLM(config, seed=1), tokenizer

    monkeypatch.setattr(smollm2_tools, "load_smollm2", load)
    return replace(SMOLLM2_TOOLS, steps=7, traces=12, batch_size=2, warmup_steps=1)


@pytest.mark.slow
def test_adapter_run_resumes_after_a_kill(small, resumes, tmp_path):
    whole = resumes(small, smollm2_tools, "trace_loss").model.state_dict()
    assert any(weight.abs().sum() > 0 for name, weight in whole.items() if "up" in name)
    # the matrices only
    assert {name.rpartition(".")[2] for name in whole} == {"down", "up"}
    for file in tmp_path.rglob("run.safetensors"):
        assert file.stat().st_size < 1_000_000  # the small model alone has 9 MB


@pytest.mark.slow
def test_adapter_shares_its_matrices_with_the_decoder(small):
    decoder, _ = smollm2_tools.load_smollm2()
    add_lora(decoder, small.config, torch.Generator().manual_seed(0))
    adapter = Adapter(dict(lora_layers(decoder)))
    ids = torch.arange(8)[None]
    before = decoder(ids)
    with torch.no_grad():
        for weight in adapter.parameters():
            weight.add_(0.1)
    assert not torch.equal(decoder(ids), before)


@pytest.mark.slow
def test_build_returns_an_adapter_of_zeros_for_smollm2():
    adapter = SMOLLM2_TOOLS.build()
    weights = list(adapter.parameters())
    assert len(weights) == 30 * 4 * 2
    assert not any(weight.any() for weight in weights)
    assert 2 * sum(weight.numel() for weight in weights) < 3_000_000


@pytest.mark.slow
def test_trace_loss_equals_the_supervised_loss():
    """In double precision; the logits of other tokens are only left out."""
    tokenizer = load_smollm2_tokenizer()
    config = DecoderConfig.llama(tokenizer.vocab_size, 256, 48, 1, 2, 2, 96)
    model = DecoderLM(config, seed=1).double()
    rows = encode_traces(tokenizer, taught_tasks(7))
    ours = trace_loss(model, rows.ids, rows.is_answer)
    theirs = supervised_loss(model, rows.ids, rows.is_answer)
    # one of the two takes the logarithm in 32 bits
    torch.testing.assert_close(ours.double(), theirs.double(), atol=1e-5, rtol=0)
