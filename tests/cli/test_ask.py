"""`genai-tutorial ask`: a picture and a question on the command line."""

import pytest
import torch
from PIL import Image

from genai_tutorial.cli import ask, main
from genai_tutorial.multimodal import ImageReader
from genai_tutorial.recipes import SHAPES_VLM
from genai_tutorial.tasks.scene_questions import QUESTION_TOKENIZER
from genai_tutorial.tasks.shapes import load_shapes


class Asked:
    """A reader that remembers what it was asked."""

    def __init__(self):
        self.model = SHAPES_VLM.build()
        self.questions = []

    def answer(self, squares, questions):
        assert squares.shape == (1, 16, 96)
        QUESTION_TOKENIZER.encode(questions[0])
        self.questions += questions
        return ["red"]


@pytest.fixture
def reader(monkeypatch):
    reader = Asked()
    monkeypatch.setattr(ask, "load_recipe", lambda recipe, folder: reader)
    return reader


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "scene.png"
    pixels = (255 * load_shapes(1, seed=0).images[0]).round().byte()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    return path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["ask", *map(str, arguments)])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def test_ask_prints_the_answer(capsys, reader, scene):
    question = "What colour is the circle?"
    assert run(capsys, scene, question) == (0, "red\n", "")
    assert reader.questions == ["what colour is the circle ?"]


def test_ask_refuses_an_empty_question(capsys, reader, scene):
    code, output, errors = run(capsys, scene, " ?")
    assert (code, output, reader.questions) == (2, "", [])
    assert "empty" in errors


def test_ask_names_the_words_that_the_model_knows(capsys, reader, scene):
    code, output, errors = run(capsys, scene, "what colour is the elephant?")
    assert (code, output) == (2, "")
    assert "elephant" in errors
    assert "circle" in errors
    assert errors.count("\n") == 1


def test_ask_reads_the_pixels_that_were_drawn(scene):
    assert torch.equal(ask.read_picture(scene), load_shapes(1, seed=0).images[0])


def test_ask_puts_transparency_on_white_and_resizes(tmp_path, capsys):
    path = tmp_path / "empty.png"
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(path)
    assert torch.equal(ask.read_picture(path), torch.ones(3, 32, 32))
    assert "resized from 64 to 32" in capsys.readouterr().err


def test_ask_refuses_what_is_no_square_picture(capsys, reader, tmp_path):
    wide, text = tmp_path / "wide.png", tmp_path / "text.png"
    Image.new("RGB", (64, 32)).save(wide)
    text.write_text("no picture")
    for path, message in ((wide, "64×32"), (text, "not a picture")):
        code, _, errors = run(capsys, path, "how many shapes are there?")
        assert code == 2
        assert message in errors
    code, _, errors = run(capsys, tmp_path / "none.png", "describe")
    assert code == 1
    assert "none.png" in errors


def test_ask_answers_with_a_word_of_the_vocabulary(capsys, monkeypatch, scene):
    untrained = ImageReader(SHAPES_VLM.build().eval(), QUESTION_TOKENIZER)
    monkeypatch.setattr(ask, "load_recipe", lambda recipe, folder: untrained)
    code, output, _ = run(capsys, scene, "describe")
    assert code == 0
    assert set(output.split()) <= set(QUESTION_TOKENIZER.words)
