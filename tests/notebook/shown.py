"""Catch what the book's functions display, as a notebook's front end would get it."""

from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


def displayed(call: Callable[[], object]) -> list[tuple[dict, dict]]:
    """The forms and the metadata of each thing that a call displays."""
    InteractiveShell.instance()
    try:
        with capture_output() as captured:
            call()
    finally:
        InteractiveShell.clear_instance()
    return [(output.data, output.metadata) for output in captured.outputs]
