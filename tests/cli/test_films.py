"""Clips as animated files, and the command that writes them."""

import pytest
import torch
from PIL import Image, ImageSequence

from genai_tutorial.cli import main
from genai_tutorial.cli.films import FRAME_MILLISECONDS, write_film


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


def test_write_film_rejects_other_endings(tmp_path):
    with pytest.raises(ValueError, match=r"end in \.gif or \.webp, got clips\.png"):
        write_film(torch.ones(1, 2, 3, 32, 32), tmp_path / "clips.png")


def test_sample_of_films_rejects_a_png(capsys):
    prompt = "prompt=a red circle moves left fast"
    with pytest.raises(SystemExit) as stopped:
        main(["sample", "shapes-video", prompt, "--out", "clips.png"])
    assert stopped.value.code != 0
    assert ".gif or .webp" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_sample_of_films_writes_an_animated_file(tmp_path, ending):
    path = tmp_path / f"clips.{ending}"
    prompt = "prompt=a red circle moves left fast"
    with pytest.raises(SystemExit) as stopped:
        main(["sample", "shapes-video", prompt, "steps=2", "--out", str(path)])
    assert stopped.value.code == 0
    with Image.open(path) as film:
        assert film.n_frames == 8


@pytest.mark.slow
def test_sample_of_dreams_writes_as_many_frames_as_asked_for(tmp_path):
    path = tmp_path / "dreams.gif"
    options = ["frames=7", "temperature=0"]
    with pytest.raises(SystemExit) as stopped:
        main(["sample", "paddle-world", *options, "--count", "2", "--out", str(path)])
    assert stopped.value.code == 0
    with Image.open(path) as film:
        assert film.n_frames == 7
        assert film.size == (2 * (6 * 16 + 2) + 2, 6 * 16 + 4)
