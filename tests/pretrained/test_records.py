"""The package's records are complete, named after the script that produced them, and
readable without the repository.
"""

import json
import re
from pathlib import Path

import pytest
import torch

from genai_tutorial.pretrained import (
    RECORDS,
    keep_images,
    keep_record,
    record,
    recorded_images,
)

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "path", sorted(RECORDS.glob("*.json")), ids=lambda path: path.stem
)
def test_records_have_their_benchmark_script(path):
    assert record(path.stem)
    script = (REPOSITORY / "benchmarks" / f"{path.stem}.py").read_text("utf8")
    assert re.search(rf'keep_record\(\s*"{path.stem}"', script)


def test_notebooks_read_no_repository_files():
    for notebook in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        for cell in json.loads(notebook.read_text("utf8"))["cells"]:
            if cell["cell_type"] == "code":
                assert not re.search(r"""["']\.\./""", "".join(cell["source"])), (
                    notebook.name
                )


def test_keep_record_is_atomic(tmp_path):
    keep_record("some", {"distance": 1.5}, tmp_path)
    with pytest.raises(ValueError, match="Out of range float"):
        keep_record("some", {"distance": float("nan")}, tmp_path)
    assert json.loads((tmp_path / "some.json").read_text("utf8")) == {"distance": 1.5}
    assert [path.name for path in tmp_path.iterdir()] == ["some.json"]


def test_recorded_images_round_trip(tmp_path, monkeypatch):
    monkeypatch.setattr("genai_tutorial.pretrained.records.RECORDS", tmp_path)
    images = (
        torch.randint(256, (3, 3, 8, 8), generator=torch.Generator().manual_seed(0))
        / 255
    )
    keep_images("some", "large ones", images, tmp_path)
    assert torch.equal(recorded_images("some", "large ones"), images)
    with pytest.raises(FileNotFoundError, match="There are: some_large_ones"):
        recorded_images("some", "small ones")
