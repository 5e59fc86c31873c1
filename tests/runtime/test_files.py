"""Files are written whole or not at all."""

import os
import stat
import sys

import pytest

from genai_tutorial.runtime import write_atomically

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


def test_write_atomically_refuses_other_modes(tmp_path):
    with (
        pytest.raises(ValueError, match="'wb' or 'w', got 'a'"),
        write_atomically(tmp_path / "a.txt", "a"),
    ):
        pass


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
