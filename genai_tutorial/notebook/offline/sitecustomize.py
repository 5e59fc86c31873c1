"""Cut this Python process from the network: put this folder on PYTHONPATH, and Python
runs this file as it starts.

A notebook of the book downloads nothing. With this guard it cannot: whoever connects or
looks up a name beyond this machine gets an error that names the host. An audit hook
sees each call of Python's sockets and cannot be taken out.
"""

import ipaddress
import os
import platform
import sys


class OutsideConnection(BaseException):
    """A connection was tried that leaves this machine.

    Not an `Exception`: a library that falls back when the network fails must not hide
    that it tried.
    """


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


# A proxy on this machine would carry requests out all the same.
for name in list(os.environ):
    if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy"):
        del os.environ[name]
sys.addaudithook(_refuse_outside)
