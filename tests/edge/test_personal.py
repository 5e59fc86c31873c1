"""The reader's own texts, and training on them."""

import json
import socket

import pytest
import torch

from genai_tutorial.alignment import (
    LoRAConfig,
    fold_lora,
    lora_layers,
    trained_parameter_count,
)
from genai_tutorial.edge import (
    ALL_MATRICES,
    LossChange,
    OwnText,
    PersonalSettings,
    book_prose,
    loss_change,
    personalize,
    read_own_texts,
)
from genai_tutorial.edge.personal import rehearsal_batches
from tests.edge.models import CONFIGS, disturbed, tokens

OWN, OLD = torch.arange(13).repeat(10), torch.arange(13).flip(0).repeat(10)
LLAMA = CONFIGS["Llama"]


def shape(**changes):
    return PersonalSettings(
        **{"steps": 3, "batch_size": 4, "context_length": 8, "learning_rate": 0.02}
        | changes
    )


def personal(settings, **options):
    return personalize(
        disturbed(LLAMA), OWN, settings, **{"old": OLD, "progress": False} | options
    )


@pytest.mark.parametrize("lora", [None, LoRAConfig(2, 4, ALL_MATRICES)])
def test_personalize_opens_no_socket_and_writes_no_file(lora, monkeypatch):
    personal(shape(steps=1))  # torch loads some of its own modules at the first use

    def refuse(*arguments, **options):
        raise AssertionError("something leaves the machine")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(AssertionError):
        socket.create_connection(("localhost", 9))
    personal(shape(lora=lora, old_share=0.5))


def test_personalize_learns_the_own_text_and_leaves_the_model_unchanged():
    model = disturbed(LLAMA)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    copy = personalize(model, OWN, shape(steps=40), progress=False)
    before, after = loss_change(model, copy, OWN, 8)
    assert after < before - 1
    assert all(
        torch.equal(kept[name], value) for name, value in model.state_dict().items()
    )
    assert not any(lora_layers(model))


@pytest.mark.parametrize("lora", [None, LoRAConfig(2, 4, ALL_MATRICES)])
def test_personalize_trains_the_adapter_or_everything(lora):
    model = disturbed(LLAMA)
    copy = personalize(model, OWN, shape(lora=lora), progress=False)
    moved = {
        name
        for name, value in model.state_dict().items()
        if not torch.equal(
            value, copy.state_dict().get(name, copy.state_dict().get(_base(name)))
        )
    }
    if lora is None:
        assert moved == set(model.state_dict())
        assert trained_parameter_count(copy) == model.parameter_count()
    else:
        assert not moved
        assert len(list(lora_layers(copy))) == 7 * LLAMA.layers
        assert 0 < trained_parameter_count(copy) < model.parameter_count()


def _base(name):
    return f"{name.removesuffix('.weight')}.base.weight"


@torch.no_grad()
def test_merged_adapter_equals_the_adapter_beside_the_weights():
    with torch.enable_grad():
        copy = personal(shape(steps=10))
    apart = copy(tokens(0, 3, 9))
    fold_lora(copy)
    assert not any(lora_layers(copy))
    torch.testing.assert_close(copy(tokens(0, 3, 9)), apart, atol=1e-5, rtol=1e-5)
    assert copy.parameter_count() == disturbed(LLAMA).parameter_count()


@pytest.mark.slow
def test_old_text_in_the_batches_keeps_the_old_text():
    model = personalize(
        disturbed(LLAMA), OLD, shape(steps=60, lora=None), progress=False
    )
    rises = []
    for share in (0.0, 0.3):
        settings = shape(steps=40, lora=None, old_share=share)
        copy = personalize(model, OWN, settings, old=OLD, progress=False)
        before, after = loss_change(model, copy, OLD, 8)
        rises.append(after - before)
    assert rises[0] > 1
    assert rises[1] < 0.5 * rises[0]


def test_personalize_is_the_same_for_the_same_seed():
    first, second, other = (
        personal(shape(old_share=0.5), seed=seed).state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_rehearsal_batches_hold_the_share_of_old_windows(share):
    own, old = torch.zeros(50).long(), torch.ones(50).long()
    batches = rehearsal_batches(own, old, shape(batch_size=64, old_share=share), seed=0)
    drawn = [next(batches) for _ in range(20)]
    inputs = torch.cat([inputs for inputs, _ in drawn])
    assert (inputs == inputs[:, :1]).all()  # a window is from one text
    assert all(torch.equal(inputs, targets) for inputs, targets in drawn)
    assert float(inputs[:, 0].float().mean()) == pytest.approx(share, abs=0.04)


def test_personalize_needs_the_old_text_that_it_mixes_in():
    with pytest.raises(ValueError, match="old_share is"):
        personal(shape(old_share=0.2), old=None)


def test_personal_settings_leave_room_for_the_own_text():
    with pytest.raises(ValueError, match="old_share"):
        shape(old_share=1)


def test_loss_change_is_a_difference_of_losses_on_the_same_text():
    model = disturbed(LLAMA)
    change = loss_change(model, model, OLD, 8)
    assert change == LossChange(change.before, change.before)


def notebook(*cells):
    return json.dumps(
        {"cells": [{"cell_type": kind, "source": source} for kind, source in cells]}
    )


def test_read_own_texts_keeps_prose_by_name(tmp_path):
    (tmp_path / "b.txt").write_text("Letters.\n\n\n\nMore.")
    (tmp_path / "a.md").write_text("Before\n```python\nx = 1\n```\nafter")
    (tmp_path / "c.ipynb").write_text(
        notebook(
            ("markdown", ["# One\n", "two"]), ("code", ["x = 1"]), ("markdown", "3")
        )
    )
    (tmp_path / "d.py").write_text("not prose")
    (tmp_path / "empty.md").write_text("\n")
    assert read_own_texts(tmp_path) == (
        OwnText("a.md", "Before\nafter"),
        OwnText("b.txt", "Letters.\n\nMore."),
        OwnText("c.ipynb", "# One\ntwo\n\n3"),
    )


def test_book_prose_comes_with_the_package_and_is_long_enough_for_the_chapter():
    *to_learn, held_out = read_own_texts(book_prose())
    assert [text.name[:2] for text in to_learn] == ["01", "02"]
    assert held_out.name.startswith("13")
    assert len(held_out.text) > 20_000
    assert sum(len(text.text) for text in to_learn) > 60_000


def test_read_own_texts_names_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_own_texts(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="some of your own"):
        read_own_texts(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"\xff\xfe\x00"),
        ("a.ipynb", b"{"),
        ("a.ipynb", b"[]"),
        ("a.ipynb", b'{"cells": [1]}'),
    ],
)
def test_read_own_texts_names_the_file_that_it_cannot_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_own_texts(tmp_path)
