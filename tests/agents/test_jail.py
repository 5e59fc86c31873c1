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


@posix
@pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="needs openat")
@pytest.mark.parametrize("part", ["folder/b.txt", "folder"])
def test_jail_refuses_a_link_made_after_the_check(jail, monkeypatch, part):
    """The attacker swaps a file, or a folder above it, between check and use."""
    resolve = FileJail.resolve

    def resolve_then_swap(self, path):
        target = resolve(self, path)
        swapped = self.root / part
        swapped.rename(self.root / "aside")
        outside = self.root.parent / ("secret.txt" if "/" in part else "out")
        if part == "folder":
            outside.mkdir()
            (outside / "b.txt").write_text(SECRET)
        swapped.symlink_to(outside)
        return target

    monkeypatch.setattr(FileJail, "resolve", resolve_then_swap)
    with pytest.raises(JailError):
        jail.read("folder/b.txt")


@posix
def test_jail_refuses_devices_and_folders(jail):
    os.mkfifo(jail.root / "pipe")  # opening it to read would wait for ever
    with pytest.raises(JailError, match="no ordinary file"):
        jail.read("pipe")
    with pytest.raises(JailError, match="no ordinary file"):
        jail.read("folder")
    with pytest.raises(JailError, match="is a folder"):
        jail.write("folder", "x")
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
