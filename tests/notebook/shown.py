"""Capture what the book's functions display, as a notebook front end receives it."""

from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


def displayed(call: Callable[[], object]) -> list[tuple[dict, dict]]:
    """Return the MIME bundle and metadata of each object that a call displays."""
    InteractiveShell.instance()
    try:
        with capture_output() as captured:
            call()
    finally:
        InteractiveShell.clear_instance()
    return [(output.data, output.metadata) for output in captured.outputs]
