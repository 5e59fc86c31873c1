"""`genai-tutorial sample` and `ask`: pictures, clips and sounds as files."""

import io
import os
import wave as wave_files

import pytest
import torch
from PIL import Image, ImageSequence

from genai_tutorial import recipes
from genai_tutorial.cli.models import (
    FRAME_MILLISECONDS,
    PAUSE_SECONDS,
    small_pixels,
    write_clips,
    write_film,
)
from genai_tutorial.cli.pictures import read_square
from genai_tutorial.multimodal import ImageReader
from genai_tutorial.tasks.scene_questions import QUESTION_TOKENIZER
from genai_tutorial.tasks.shapes import load_shapes

SHAPES_VLM = recipes.recipe("shapes-vlm")


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
    monkeypatch.setattr(recipes, "load", lambda name, folder: reader)
    return reader


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "scene.png"
    pixels = (255 * load_shapes(1, seed=0).images[0]).round().byte()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    return path


def test_ask_prints_the_answer(command, reader, scene):
    question = "What colour is the circle?"
    assert command("ask", scene, question) == (0, "red\n", "")
    assert reader.questions == ["what colour is the circle ?"]


def test_ask_refuses_an_empty_question(command, reader, scene):
    code, output, errors = command("ask", scene, " ?")
    assert (code, output, reader.questions) == (2, "", [])
    assert "empty" in errors


def test_ask_names_the_words_that_the_model_knows(command, reader, scene):
    code, output, errors = command("ask", scene, "what colour is the elephant?")
    assert (code, output) == (2, "")
    assert "elephant" in errors
    assert "circle" in errors
    assert errors.count("\n") == 1


def test_ask_reads_the_pixels_that_were_drawn(scene):
    assert torch.equal(
        small_pixels(read_square(scene)), load_shapes(1, seed=0).images[0]
    )


def test_ask_puts_transparency_on_white_and_resizes(tmp_path, capsys):
    path = tmp_path / "empty.png"
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(path)
    assert torch.equal(small_pixels(read_square(path)), torch.ones(3, 32, 32))
    assert "resized from 64 to 32" in capsys.readouterr().err


def damaged(path, kind):
    """Write a file that is no picture for the model."""
    Image.effect_noise((64, 64), 50).save(path, "TIFF" if kind == "tiff" else "PNG")
    content = path.read_bytes()
    if kind == "cut off":
        path.write_bytes(content[: len(content) // 2])
    if kind == "broken chunk":
        path.write_bytes(content.replace(b"IDAT", b"ID\0T"))
    if kind == "bomb":
        sides = (30_000).to_bytes(4, "big")
        path.write_bytes(content[:16] + 2 * sides + content[24:])
    if kind == "text":
        path.write_text("no picture")
    if kind in ("missing", "folder", "pipe"):
        path.unlink()
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        *(
            (kind, "must be a whole file, in PNG, JPEG, WEBP, GIF")
            for kind in ("cut off", "broken chunk", "bomb", "text", "tiff")
        ),
        *((kind, "There is no picture ") for kind in ("missing", "folder", "pipe")),
    ],
)
def test_ask_refuses_files_in_one_sentence(command, reader, tmp_path, kind, said):
    damaged(tmp_path / "scene.png", kind)
    code, output, errors = command("ask", tmp_path / "scene.png", "describe")
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert "scene.png" in errors
    assert said in errors


@pytest.mark.slow
def test_ask_pads_and_reduces_large_pictures(tmp_path, capsys):
    """A red square in the middle of a wide picture keeps its shape."""
    picture = Image.new("RGB", (6000, 3000), "white")
    picture.paste("red", (2000, 500, 4000, 2500))
    picture.save(tmp_path / "wide.png")
    square = read_square(tmp_path / "wide.png")
    assert square.size == (1024, 1024)
    assert "6000×3000 pixels: white makes it square" in capsys.readouterr().err
    left, top, right, bottom = square.convert("L").point(lambda v: v < 200).getbbox()
    assert abs((right - left) - (bottom - top)) <= 1
    assert abs(left + right - top - bottom) <= 2


@pytest.mark.parametrize("colour", ["black", "white", "noise"])
def test_ask_warns_about_pictures_of_something_else(capsys, colour):
    picture = Image.new("RGB", (32, 32), "white" if colour == "noise" else colour)
    if colour == "noise":
        picture = Image.merge("RGB", [Image.effect_noise((32, 32), 90)] * 3)
    small_pixels(picture)
    assert "nothing on this picture looks like one" in capsys.readouterr().err


def test_ask_does_not_warn_about_scenes(capsys):
    for image in load_shapes(20, seed=0).images:
        pixels = (255 * image).round().byte().permute(1, 2, 0).numpy()
        small_pixels(Image.fromarray(pixels))
    assert capsys.readouterr().err == ""


def test_ask_answers_with_a_word_of_the_vocabulary(command, monkeypatch, scene):
    untrained = ImageReader(SHAPES_VLM.build().eval(), QUESTION_TOKENIZER)
    monkeypatch.setattr(recipes, "load", lambda name, folder: untrained)
    code, output, _ = command("ask", scene, "describe")
    assert code == 0
    assert set(output.split()) <= set(QUESTION_TOKENIZER.words)


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_write_film_keeps_the_frames_in_order(tmp_path, ending):
    films = torch.ones(3, 4, 3, 32, 32)
    for frame in range(4):
        films[:, frame, :, 8:16, 4 * frame : 4 * frame + 8] = 0.0
    path = tmp_path / f"clips.{ending}"
    write_film(films, path)
    with Image.open(path) as film:
        assert (film.n_frames, film.info["loop"]) == (4, 0)
        firsts = []
        for frame in ImageSequence.Iterator(film):
            grey = frame.convert("L")
            assert film.info["duration"] == FRAME_MILLISECONDS
            row = grey.crop((2, 2, 98, 98)).resize((32, 32), Image.Resampling.NEAREST)
            dark = [x for x in range(32) if row.getpixel((x, 10)) < 128]
            firsts.append(dark[0])
    assert firsts == [0, 4, 8, 12]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_sample_of_films_writes_an_animated_file(command, tmp_path, ending):
    path = tmp_path / f"clips.{ending}"
    prompt = "prompt=a red circle moves left fast"
    assert command("sample", "shapes-video", prompt, "steps=2", "--out", path)[0] == 0
    with Image.open(path) as film:
        assert film.n_frames == 8


@pytest.mark.slow
def test_sample_of_dreams_writes_as_many_frames_as_asked_for(command, tmp_path):
    path = tmp_path / "dreams.gif"
    options = ["frames=7", "temperature=0"]
    options += ["--count", "2", "--out", path]
    assert command("sample", "paddle-world", *options)[0] == 0
    with Image.open(path) as film:
        assert film.n_frames == 7
        assert film.size == (2 * (6 * 16 + 2) + 2, 6 * 16 + 4)


def test_write_clips_puts_a_pause_between_them(tmp_path):
    path = tmp_path / "clips.wav"
    write_clips(torch.full((3, 100), 0.5), 1000, path)
    with wave_files.open(io.BytesIO(path.read_bytes())) as file:
        assert file.getframerate() == 1000
        frames = file.readframes(file.getnframes())
    samples = torch.frombuffer(bytearray(frames), dtype=torch.int16)
    pause = round(1000 * PAUSE_SECONDS)
    assert len(samples) == 3 * 100 + 2 * pause
    assert (samples != 0).sum() == 300
    assert samples[100 : 100 + pause].abs().max() == 0


def test_write_clips_rejects_other_endings(tmp_path):
    with pytest.raises(ValueError, match=r"end in \.mp3 or \.wav, got clips\.png"):
        write_clips(torch.zeros(1, 10), 1000, tmp_path / "clips.png")
