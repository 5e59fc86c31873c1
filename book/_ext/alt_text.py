"""Add alternative text to the images in cell outputs, where `show(figure, alt="...")`
stores it.

MyST-NB ignores it, but names image files by the SHA-256 of their bytes, which links
each text to its image.
"""

import base64
import hashlib
import json
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)


def alternative_texts(notebook: dict) -> dict[str, str]:
    """Return the alternative text of each image in the outputs, by the SHA-256 of its
    bytes (empty if it has none).
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
    """Add the texts to the page, and warn of images without one."""
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
