"""Files are written whole or not at all."""

import importlib
import os
import pickle
import stat
import subprocess
import sys
import zipfile

import numpy as np
import platformdirs
import pytest

from genai_tutorial.runtime import cache_folder, cached, write_atomically

needs_openat = pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="no openat")


def test_write_atomically_keeps_the_old_file_if_the_block_raises(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_half_way():
        with write_atomically(path, "w") as file:
            file.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")
def test_write_atomically_keeps_the_mode_of_the_old_file(tmp_path):
    path = tmp_path / "run.sh"
    path.write_text("old")
    path.chmod(0o740)
    with write_atomically(path) as file:
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o740


@needs_openat
def test_write_atomically_with_dir_fd_follows_the_open_folder(tmp_path):
    """Even if its name has become a link to another folder."""
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    opened = os.open(folder, os.O_RDONLY)
    try:
        folder.rename(tmp_path / "moved")
        folder.symlink_to(other)
        with write_atomically("a.txt", "w", dir_fd=opened) as file:
            file.write("text")
    finally:
        os.close(opened)
    assert (tmp_path / "moved" / "a.txt").read_text() == "text"
    assert not any(other.iterdir())


ARRAYS = {
    "images": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "names": np.array(["one", "two"]),
}
builds = 0


def build() -> dict[str, np.ndarray]:
    global builds
    builds += 1
    return ARRAYS


def count_builds(*, name: str = "toy", version: str = "") -> int:
    """Call the cache, check the result, and return how often the builder ran for it."""
    before = builds
    arrays = cached(name, build, version)
    assert arrays.keys() == ARRAYS.keys()
    for field, expected in ARRAYS.items():
        np.testing.assert_array_equal(arrays[field], expected)
        assert arrays[field].dtype == expected.dtype
    return builds - before


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def only_file(folder):
    (path,) = folder.iterdir()
    return path


def test_cached_builds_once_and_reads_afterwards(folder):
    assert [count_builds() for _ in range(3)] == [1, 0, 0]
    assert only_file(folder).suffix == ".npz"


def test_cache_folder_follows_the_environment_variable(folder, monkeypatch):
    assert cache_folder() == folder
    monkeypatch.delenv("GENAI_TUTORIAL_CACHE")
    assert cache_folder() == platformdirs.user_cache_path("genai_tutorial")


@pytest.mark.slow
def test_cached_detects_flipped_bytes(folder):
    count_builds()
    path = only_file(folder)
    whole = path.read_bytes()
    noticed = 0
    for position in range(len(whole)):
        path.write_bytes(
            whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
        )
        noticed += count_builds()
    # Only the times and attributes in the zip file's headers can change without an
    # effect.
    assert noticed > 0.7 * len(whole)


def test_cached_rebuilds_a_truncated_file(folder, caplog):
    count_builds()
    path = only_file(folder)
    whole = path.read_bytes()
    for length in range(0, len(whole), 13):
        path.write_bytes(whole[:length])
        caplog.clear()
        assert count_builds() == 1
        assert "is not usable" in caplog.text
        assert count_builds() == 0


def test_cached_rebuilds_a_foreign_file(folder, caplog):
    count_builds()
    path = only_file(folder)
    np.savez(path, images=ARRAYS["images"] + 1, names=ARRAYS["names"])
    assert count_builds() == 1
    assert "is not usable" in caplog.text


def test_cached_rebuilds_a_file_with_an_empty_member(folder, caplog):
    count_builds()
    path = only_file(folder)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, b"" if name == "images.npy" else content)
    assert count_builds() == 1
    assert "is not usable" in caplog.text


def test_cached_rebuilds_a_file_of_another_builder(folder):
    count_builds(version="1")
    old = only_file(folder)
    count_builds(version="2")
    (new,) = set(folder.iterdir()) - {old}
    os.replace(old, new)
    assert count_builds(version="2") == 1


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


@pytest.mark.parametrize("form", ["npz", "pickle"])
def test_cached_never_unpickles(folder, tmp_path, form):
    marker = tmp_path / "unpickled"
    count_builds()
    path = only_file(folder)
    if form == "npz":
        np.savez(
            path,
            images=np.array([Malicious(marker)], dtype=object),
            names=ARRAYS["names"],
        )
    else:
        path.write_bytes(pickle.dumps(Malicious(marker)))
    assert count_builds() == 1
    assert not marker.exists()


def test_cached_ignores_leftovers_of_a_killed_writer(folder):
    folder.mkdir()
    (folder / "toy-0123.part").write_bytes(b"PK\x03\x04 half")
    assert [count_builds(), count_builds()] == [1, 0]


def test_cached_returns_the_arrays_if_writing_fails(folder, monkeypatch, caplog):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    assert [count_builds(), count_builds()] == [1, 1]
    assert list(folder.iterdir()) == []
    assert "disk full" in caplog.text


def test_cached_works_without_a_writable_folder(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path / "file" / "cache"))
    assert [count_builds(), count_builds()] == [1, 1]
    assert "could not be written" in caplog.text


def test_cached_separates_names_and_versions():
    assert count_builds(version="1") == 1
    assert count_builds(version="2") == 1
    assert count_builds(name="other", version="1") == 1
    assert [count_builds(version=version) for version in "12"] == [0, 0]


BUILDER = """
import numpy as np
def build():
    return {"x": np.full(1000, VALUE)}
"""


def test_cached_rebuilds_after_a_change_of_the_builder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = tmp_path / "a_builder_of_this_test.py"
    seen = []
    # of different lengths: Python's own cache of bytecode looks at size and time
    for value in (1, 22, 333):
        source.write_text(BUILDER.replace("VALUE", str(value)))
        importlib.invalidate_caches()
        sys.modules.pop(source.stem, None)
        build = importlib.import_module(source.stem).build
        seen.append(int(cached("toy", build)["x"][0]))
    assert seen == [1, 22, 333]


RACER = """
import sys, time
import numpy as np
from racing_builder import build
from genai_tutorial.runtime import cached

print("ready", flush=True)
sys.stdin.readline()
for version in range(40):
    assert (cached("race", build, str(version))["x"] == 7).all()
"""


@pytest.mark.slow
def test_cached_is_safe_for_two_processes(folder, tmp_path):
    (tmp_path / "racing_builder.py").write_text(
        BUILDER.replace("VALUE", "7").replace("1000", "300_000")
    )
    (tmp_path / "racer.py").write_text(RACER)
    racers = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "racer.py")],
            **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    for racer in racers:
        _, errors = racer.communicate(timeout=120)
        # no warning about an unusable file either
        assert (racer.returncode, errors) == (0, "")
    assert sorted(path.suffix for path in folder.iterdir()) == [".npz"] * 40


def test_cached_refuses_python_objects():
    with pytest.raises(TypeError, match="Python objects in words"):
        cached("toy", lambda: {"words": np.array([{"a": 1}], dtype=object)})


def test_cached_refuses_a_builder_without_a_file():
    namespace = {"__name__": "__no_file__"}
    # what a function typed into a console looks like
    exec("def build(): return {}", namespace)
    with pytest.raises(ValueError, match="defined in a file"):
        cached("toy", namespace["build"])
