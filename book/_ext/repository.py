"""Read the repository's address from `pyproject.toml`.

The theme uses it for the Colab, Binder and repository buttons.
"""

import tomllib
from pathlib import Path


def address(root: Path) -> str:
    """Return the address in the `pyproject.toml` of the folder `root`."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    return project["urls"]["Repository"].rstrip("/")


def use_address(app, config):
    """Pass the address to the theme and the pages."""
    repository = address(Path(app.srcdir))
    config.html_theme_options["repository_url"] = repository
    config.html_theme_options["use_repository_button"] = True
    config.html_theme_options["use_issues_button"] = True


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("config-inited", use_address, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
