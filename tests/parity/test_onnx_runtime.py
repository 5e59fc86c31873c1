"""Exported decoders in onnxruntime: the logits and the greedy text of the model."""

import random

import numpy as np
import pytest
import torch

from genai_tutorial.edge import DecoderStep, OnnxStep, export_step
from genai_tutorial.edge.onnx_models import quantize_onnx
from genai_tutorial.edge.onnx_step import export_onnx
from genai_tutorial.generation import generate
from genai_tutorial.recipes import load
from genai_tutorial.transformer import DecoderLM
from tests.decoders import mixtral
from tests.edge.models import CONFIGS, disturbed, tokens

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def whole_pass(path):
    """Return a function from ids to logits that onnxruntime computes."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda ids: torch.from_numpy(session.run(None, {"ids": ids.numpy()})[0])


@pytest.fixture(scope="module", params=["factbook-base", "shakespeare"])
def exported(request, tmp_path_factory):
    """A published model, and its two files."""
    folder = tmp_path_factory.mktemp(request.param)
    model = load(request.param)[0].eval()
    return (
        model,
        export_onnx(model, folder / "whole.onnx"),
        export_step(model, folder / "step.onnx"),
    )


@pytest.mark.slow
@torch.no_grad()
def test_logits_are_onnxruntimes_at_all_lengths(exported):
    model, whole, _ = exported
    session = whole_pass(whole)
    for batch, length in ((1, 1), (1, 2), (2, 17), (3, 128)):
        ids = tokens(length, batch, length, vocab_size=model.config.vocab_size)
        torch.testing.assert_close(session(ids), model(ids), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@torch.no_grad()
def test_logits_of_the_step_are_onnxruntimes_up_to_the_last_position(exported):
    model, _, path = exported
    step = OnnxStep(path)
    longest = model.config.context_length
    ids = tokens(0, 1, longest, vocab_size=model.config.vocab_size)
    expected = model(ids)[0]
    found = torch.stack([step.read(token) for token in ids[0].tolist()])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="full"):
        step.read(0)


@pytest.mark.slow
def test_greedy_text_is_onnxruntimes(exported):
    model, _, path = exported
    ids = tokens(1, 1, 9, vocab_size=model.config.vocab_size)
    expected = generate(model, ids, 40, temperature=0)[0, 9:].tolist()
    assert OnnxStep(path).generate(ids[0].tolist(), 40) == expected


@pytest.mark.slow
def test_exported_graphs_pass_the_checker_and_use_standard_operators(exported):
    for path in exported[1:]:
        graph = onnx.load(path)
        onnx.checker.check_model(graph, full_check=True)
        assert {node.domain for node in graph.graph.node} == {""}


@pytest.mark.slow
@torch.no_grad()
def test_dynamic_int8_changes_the_predictions_little_and_the_size_a_lot(
    exported, tmp_path
):
    model, whole, _ = exported
    small = quantize_onnx(whole, tmp_path / "int8.onnx")
    assert small.stat().st_size < 0.4 * whole.stat().st_size
    ids = tokens(2, 2, 60, vocab_size=model.config.vocab_size)
    exact, rounded = model(ids), whole_pass(small)(ids)
    same = (exact.argmax(-1) == rounded.argmax(-1)).float().mean()
    assert same > 0.8
    assert not torch.equal(exact, rounded)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_small_decoders_of_all_kinds_export(config, tmp_path):
    model, ids = disturbed(config), tokens(3, 1, 7)
    session = whole_pass(export_onnx(model, tmp_path / "whole.onnx"))
    torch.testing.assert_close(session(ids), model(ids), atol=1e-4, rtol=1e-4)
    step, ours = OnnxStep(export_step(model, tmp_path / "s.onnx")), DecoderStep(model)
    first = dict(zip(ours.state_names(), ours.first_state(), strict=True))
    assert step.state.keys() == first.keys()
    for name, value in step.state.items():
        assert value.shape == tuple(first[name].shape)
        assert value.dtype == first[name].numpy().dtype
        assert not np.any(value)
    found = torch.stack([step.read(token) for token in ids[0].tolist()])
    torch.testing.assert_close(found, model(ids)[0], atol=1e-4, rtol=1e-4)


def test_exports_refuse_a_mixture_of_experts(tmp_path):
    model = DecoderLM(mixtral(13, 24, 16, 2, 2, 1, 24))
    for export in (export_onnx, export_step):
        with pytest.raises(ValueError, match="without a mixture of experts"):
            export(model, tmp_path / "mixture.onnx")
        assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_damaged_onnx_files_raise_a_value_error_that_names_them(tmp_path):
    path = export_step(disturbed(CONFIGS["Llama"]), tmp_path / "step.onnx")
    content, draw = path.read_bytes(), random.Random(0)
    damaged, messages = tmp_path / "damaged.onnx", []
    for _ in range(60):
        changed = bytearray(content)
        for _ in range(3):
            changed[draw.randrange(len(content))] = draw.randrange(256)
        end = draw.choice((len(content), draw.randrange(len(content))))
        damaged.write_bytes(changed[:end])
        try:
            OnnxStep(damaged).generate([1, 2], 2)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all("damaged.onnx" in message for message in messages)
