"""Give a picture that a cell displayed its alternative text, which `show(figure,
alt="...")` keeps with the output.

MyST-NB leaves it out. It names the file of a picture by the SHA-256 of its bytes, and
so the text finds its picture.
"""

import base64
import hashlib
import json
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)


def alternative_texts(notebook: dict) -> dict[str, str]:
    """Return the alternative text of each picture that a cell displayed, by the SHA-256
    of its bytes ("": none).
    """
    texts = {}
    outputs = (
        output for cell in notebook["cells"] for output in cell.get("outputs", ())
    )
    for output in outputs:
        for kind, content in output.get("data", {}).items():
            if kind.startswith("image/"):
                content = content if isinstance(content, str) else "".join(content)
                data = (
                    "\n".join(content.splitlines()).encode()
                    if kind.endswith("xml")
                    else base64.b64decode(content)
                )
                texts[hashlib.sha256(data).hexdigest()] = (
                    output["metadata"].get(kind, {}).get("alt", "")
                )
    return texts


def add_alternative_texts(app, doctree):
    """Write the text into the page, and warn of a picture that has none."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    texts = alternative_texts(json.loads(path.read_text("utf8")))
    for image in doctree.findall(nodes.image):
        name = Path(image["uri"]).stem
        if texts.get(name):
            image["alt"] = texts[name]
        elif not image.get("alt"):
            logger.warning(
                'a picture has no alternative text; use show(figure, alt="...")',
                location=image,
            )


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("doctree-read", add_alternative_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
