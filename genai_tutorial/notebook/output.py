"""Display something below a cell, or print its plain text outside a notebook."""

from collections.abc import Mapping
from typing import Any


def put(data: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
    """Display data in several formats, by MIME type, with metadata that the notebook
    stores.
    """
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(data["text/plain"])
    else:
        display(dict(data), raw=True, metadata=dict(metadata))
