"""Block network access for this Python process. With this folder on PYTHONPATH, Python
runs the file at start-up.

The book's notebooks download nothing, and this guard makes sure of it: any connection
or name lookup beyond this machine raises an error that names the host. It uses an audit
hook, which sees every call of Python's socket functions and cannot be removed.
"""

import ipaddress
import os
import platform
import sys


class OutsideConnection(BaseException):
    """Raised on an attempt to connect to another machine."""


def _leaves_this_machine(host: object) -> bool:
    host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if host in (None, "", "localhost", platform.node()):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True  # a name, to be looked up
    return not (address.is_loopback or address.is_unspecified)


def _refuse_outside(event: str, arguments: tuple) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        # The address of a Unix socket is a path. An unconnected message has none.
        address = arguments[1]
        host = (
            address[0]
            if isinstance(address, tuple) and isinstance(address[0], str | bytes)
            else None
        )
    elif event in (
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
    ):
        host = arguments[0]
    else:
        return
    if _leaves_this_machine(host):
        raise OutsideConnection(
            f"a notebook of the book tried to reach {host}: nothing is downloaded "
            "while it runs."
        )

    # A proxy on this machine would still forward requests.


for name in list(os.environ):
    if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy"):
        del os.environ[name]
sys.addaudithook(_refuse_outside)
