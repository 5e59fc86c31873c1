import os
import subprocess
import sys

import pytest

from genai_tutorial.notebook.environment import (
    OFFLINE,
    book_environment,
    executed_for_the_book,
)

REFUSED = {
    "connect": "socket.create_connection(('192.0.2.1', 80))",
    "name": "socket.gethostbyname('example.org')",
    "name_like_loopback": "socket.getaddrinfo('127.example.org', 80)",
    "datagram": (
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', "
        "9))"
    ),
    "urllib": "urllib.request.urlopen('http://example.org')",
    "version_6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
}
ALLOWED = {
    "loopback": (
        "s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname())"
    ),
    "localhost": "socket.getaddrinfo('localhost', 80)",
    "unix": "a, b = socket.socketpair(); a.sendall(b'x')",
    "unix_path": "s = socket.socket(socket.AF_UNIX); s.bind(f'\\0{os.getpid()}'); s.listen(); "  # noqa: E501
    "socket.socket(socket.AF_UNIX).connect(s.getsockname())",
}
LINES = "\n".join(
    f"try:\n    {code}\n    print('{name} done')\n"
    f"except BaseException as error:\n    print('{name}', type(error).__name__, error)"
    for name, code in (REFUSED | ALLOWED).items()
)


@pytest.fixture(scope="module")
def outcome() -> dict[str, str]:
    """Return the outcome of each line in a guarded Python process, in which a local
    proxy is set as a way around the guard.
    """
    environment = {
        **os.environ,
        **book_environment(),
        "http_proxy": "http://127.0.0.1:9",
    }
    code = f"import os, socket, urllib.request\n{LINES}"
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


@pytest.mark.parametrize("name", REFUSED)
def test_offline_guard_refuses_remote_connections_and_lookups(
    outcome: dict[str, str], name: str
):
    assert outcome[name].startswith(
        "OutsideConnection a notebook of the book tried to reach "
    )


@pytest.mark.parametrize("name", ALLOWED)
def test_offline_guard_allows_local_connections(outcome: dict[str, str], name: str):
    if name == "unix_path" and sys.platform != "linux":
        pytest.skip("only Linux has sockets without a file")
    assert outcome[name] == "done"


def test_offline_error_names_host(outcome: dict[str, str]):
    assert "example.org" in outcome["urllib"]
    assert "192.0.2.1" in outcome["connect"]


def test_quiet_settings_apply_only_on_request(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GENAI_TUTORIAL_QUIET", raising=False)
    assert not executed_for_the_book()
    for name, value in book_environment().items():
        monkeypatch.setenv(name, value)
    assert executed_for_the_book()


def test_offline_guard_precedes_existing_pythonpath(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert book_environment()["PYTHONPATH"] == f"{OFFLINE}{os.pathsep}/somewhere"


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux",
    reason="elsewhere torch comes with another OpenMP, which has other settings",
)
def test_torch_reads_thread_spin_setting():
    environment = {**os.environ, **book_environment(), "OMP_DISPLAY_ENV": "VERBOSE"}
    run = subprocess.run(
        [sys.executable, "-c", "import torch"], env=environment, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert "GOMP_SPINCOUNT = '10000'" in run.stderr
