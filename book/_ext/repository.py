"""Take the address of the repository from `pyproject.toml`, the one place where it
stands.

The theme makes the Colab, Binder and repository buttons from it.
"""

import tomllib
from pathlib import Path


def address(root: Path) -> str:
    """Return the address of the repository whose `pyproject.toml` lies in `root`."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    return project["urls"]["Repository"].rstrip("/")


def use_address(app, config):
    """Give the theme and the pages the address."""
    repository = address(Path(app.srcdir))
    config.html_theme_options["repository_url"] = repository
    config.html_theme_options["use_repository_button"] = True
    config.html_theme_options["use_issues_button"] = True


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("config-inited", use_address, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
