"""SmolLM2 in C: the logits of the model in float32, and the same text."""

import platform

import pytest
import torch

from genai_tutorial.efficiency import native
from genai_tutorial.generation import generate
from tests.efficiency.native.test_decoder import KERNELS

X86 = platform.machine().lower() in ("x86_64", "amd64")
TEXT = (
    "The theory of gravity says that every object with mass attracts every other "
    "object. Newton wrote it down in 1687, and"
)
# The small models have the kernel "rows", which takes seconds here.
BUILDS = [(kernel, "native") for kernel in KERNELS if kernel != "rows"]
BUILDS += [("lanes", "avx2"), ("lanes", "sse4.2")] if X86 else []


@pytest.fixture(scope="module")
def expected(smollm2):
    model, tokenizer = smollm2
    ids = torch.tensor([tokenizer.encode(TEXT)[:24]])
    with torch.no_grad():
        return ids, model(ids), generate(model, ids, 24, temperature=0)


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "instructions"), BUILDS)
@torch.no_grad()
def test_smollm2_native_equals_float32(smollm2, expected, kernel, instructions):
    """The file's own levels are recovered, so that only the order of the additions
    differs, and with VNNI the 16 bits of the inputs: measured 1.5e-4 and 0.0096.
    """
    ids, logits, text = expected
    fast = native(smollm2[0], kernel, instructions)
    difference = (fast(ids) - logits).abs().max().item()
    assert difference < (0.02 if kernel == "vnni" else 2e-4)
    assert torch.equal(generate(fast, ids, 24, temperature=0), text)
