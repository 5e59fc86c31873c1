"""The file jail: no path leads out of it, by name, by link, or by a race."""

import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_tutorial.agents import FileJail, JailError

posix = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
SECRET = "outside, and not to be read"


@pytest.fixture
def jail(tmp_path):
    (tmp_path / "secret.txt").write_text(SECRET)
    root = tmp_path / "root"
    root.mkdir()
    jail = FileJail(root)
    jail.write("a.txt", "inside")
    jail.write("folder/b.txt", "also inside")
    return jail


def test_jail_reads_writes_lists_and_deletes(jail):
    assert jail.files() == ["a.txt", "folder/b.txt"]
    assert jail.read("folder/../a.txt") == "inside"
    assert jail.read(str(jail.root / "a.txt")) == "inside"
    jail.delete("a.txt")
    assert jail.files() == ["folder/b.txt"]


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "folder/../../secret.txt", "/etc/passwd", "", "a\0b", ".."],
)
@pytest.mark.parametrize("operation", ["read", "write", "delete"])
def test_jail_refuses_paths_that_leave_it(jail, path, operation):
    arguments = ("x",) if operation == "write" else ()
    with pytest.raises(JailError):
        getattr(jail, operation)(path, *arguments)


@posix
@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd", ".."])
def test_jail_refuses_links_that_lead_out(jail, target):
    (jail.root / "link").symlink_to(target)
    for operation, arguments in (("read", ()), ("write", ("x",)), ("delete", ())):
        with pytest.raises(JailError, match="leaves the folder"):
            getattr(jail, operation)("link", *arguments)
    assert "link" not in jail.files()
    with pytest.raises(JailError):
        jail.read("link/secret.txt")


@posix
def test_jail_follows_links_that_stay_inside(jail):
    (jail.root / "link").symlink_to("folder/b.txt")
    assert jail.read("link") == "also inside"


@posix
def test_jail_refuses_a_loop_of_links(jail):
    (jail.root / "one").symlink_to("two")
    (jail.root / "two").symlink_to("one")
    with pytest.raises(JailError):
        jail.read("one")


def swap_after_the_check(monkeypatch, part):
    """Let an attacker replace a file, or a folder above it, by a link that leads out,
    between the check of the path and its use.
    """
    resolve = FileJail.resolve

    def resolve_then_swap(self, path):
        target = resolve(self, path)
        swapped, outside = self.root / part, self.root.parent / "out"
        outside.mkdir()
        (outside / "b.txt").write_text(SECRET)
        swapped.rename(self.root / "aside")
        swapped.symlink_to(outside / "b.txt" if "/" in part else outside)
        return target

    monkeypatch.setattr(FileJail, "resolve", resolve_then_swap)


needs_openat = pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="no openat")


@needs_openat
@pytest.mark.parametrize("part", ["folder/b.txt", "folder"])
@pytest.mark.parametrize("operation", ["read", "delete"])
def test_jail_refuses_a_link_made_after_the_check(jail, monkeypatch, part, operation):
    swap_after_the_check(monkeypatch, part)
    with pytest.raises(JailError):
        getattr(jail, operation)("folder/b.txt")
    assert (jail.root.parent / "out" / "b.txt").read_text() == SECRET


@needs_openat
@pytest.mark.parametrize("path", ["folder/b.txt", "folder/new.txt", "folder/c/d.txt"])
def test_jail_writes_nothing_behind_a_folder_swapped_for_a_link(
    jail, monkeypatch, path
):
    swap_after_the_check(monkeypatch, "folder")
    with pytest.raises(JailError):
        jail.write(path, "x")
    outside = jail.root.parent / "out"
    assert [file.name for file in outside.iterdir()] == ["b.txt"]
    assert (outside / "b.txt").read_text() == SECRET


@needs_openat
def test_jail_write_replaces_a_link_made_after_the_check(jail, monkeypatch):
    """Not the file that the link points to."""
    swap_after_the_check(monkeypatch, "folder/b.txt")
    jail.write("folder/b.txt", "new")
    assert (jail.root / "folder" / "b.txt").read_text() == "new"
    assert not (jail.root / "folder" / "b.txt").is_symlink()
    assert (jail.root.parent / "out" / "b.txt").read_text() == SECRET


@needs_openat
def test_jail_closes_every_handle(jail):
    """Also of the folders that it opens on the way, and after an error."""
    (jail.root / "folder" / "link").symlink_to("/")
    before = len(os.listdir("/dev/fd"))
    jail.read("folder/b.txt")
    jail.write("folder/deep/c.txt", "x")
    jail.delete("folder/deep/c.txt")
    for path in ("folder/none.txt", "none/b.txt", "folder/link", "folder"):
        with pytest.raises(JailError):
            jail.read(path)
        with pytest.raises(JailError):
            jail.delete(path)
    assert len(os.listdir("/dev/fd")) == before


@posix
def test_jail_refuses_devices_and_folders(jail):
    os.mkfifo(jail.root / "pipe")  # opening it to read would wait for ever
    with pytest.raises(JailError, match="no ordinary file"):
        jail.read("pipe")
    with pytest.raises(JailError, match="no ordinary file"):
        jail.read("folder")
    for path in ("folder", ".", "folder/.."):
        with pytest.raises(JailError, match="is a folder"):
            jail.write(path, "x")
    with pytest.raises(JailError, match="no ordinary file"):
        jail.delete("pipe")
    with pytest.raises(JailError, match="cannot be opened"):
        jail.write("a.txt/b.txt", "x")  # a file where a folder should be
    assert jail.files() == ["a.txt", "folder/b.txt"]


def test_jail_refuses_long_files_and_bytes(jail):
    (jail.root / "long.txt").write_text("x" * 100_001)
    (jail.root / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(JailError, match="more than 100,000 bytes"):
        jail.read("long.txt")
    with pytest.raises(JailError, match="not a text"):
        jail.read("bytes")
    with pytest.raises(JailError, match="more than 100,000 bytes"):
        jail.write("new.txt", "x" * 100_001)
    with pytest.raises(JailError, match="does not exist"):
        jail.read("nothing.txt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["..", ".", "folder", "a.txt", "", "secret.txt", "root", "/"]),
        max_size=8,
    )
)
def test_jail_never_reads_the_secret(jail, parts):
    """Any path of dots, names and slashes."""
    try:
        text = jail.read("/".join(parts))
    except JailError:
        return
    assert text != SECRET
