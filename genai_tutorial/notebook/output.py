"""Put something on the page below the cell, or print its plain text where there is no
page.
"""

from collections.abc import Mapping
from typing import Any


def put(data: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
    """Display one thing in several forms, by MIME type, with metadata that the notebook
    keeps beside them.

    Args:
        data: the forms; "text/plain" is always among them.
        metadata: the book's own facts under "genai_tutorial", and "alt" under
            "image/png".
    """
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(data["text/plain"])
    else:
        display(dict(data), raw=True, metadata=dict(metadata))
