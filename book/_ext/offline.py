"""Make the pages work offline: MathJax comes from a package, and thebe, which needs the
network, is removed.
"""

from importlib.util import find_spec
from pathlib import Path

from sphinx.util.fileutil import copy_asset

# The part of MathJax's 24 MB that a page with TeX needs, including English speech for
# screen readers.
MATHJAX = (
    "tex-chtml.js",
    "output/chtml/fonts/woff-v2",
    "input/tex/extensions",
    "a11y",
    "ui",
    "sre/mathmaps/base.json",
    "sre/mathmaps/en.json",
    "sre/mathmaps/nemeth.json",
)


def use_local_mathjax(app, config):
    """Point the pages to the local copy. Jupyter Book has collected scripts before, and
    would load every file of it.
    """
    config.mathjax_path = "mathjax/tex-chtml.js"


def copy_mathjax(app, exception):
    """Copy MathJax to the built pages."""
    if exception or app.builder.format != "html":
        return
    source = (
        Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    )
    for part in MATHJAX:
        target = Path(app.outdir) / "_static" / "mathjax" / part
        target = target if (source / part).is_dir() else target.parent
        target.mkdir(parents=True, exist_ok=True)
        copy_asset(str(source / part), str(target))


def remove_thebe(app, config):
    """Disconnect sphinx-thebe, which Jupyter Book always loads: its script fails
    without the network.
    """
    for event in ("builder-inited", "env-before-read-docs", "doctree-resolved"):
        listeners = app.events.listeners[event]
        listeners[:] = [
            one
            for one in listeners
            if not one.handler.__module__.startswith("sphinx_thebe")
        ]
    styles = app.registry.css_files
    styles[:] = [
        (name, attributes) for name, attributes in styles if name != "sphinx-thebe.css"
    ]


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("config-inited", use_local_mathjax)
    app.connect("config-inited", remove_thebe)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
