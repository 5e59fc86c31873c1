"""Write the models that run in the pages, and their engine, to `models/` in the built
book.

They are scripts that a page inserts when the reader clicks. They do not lie in
`_static`, where Jupyter Book would load each of them on every page.
"""

import json
from pathlib import Path

from sphinx.errors import ExtensionError


def used_models(notebook: dict) -> dict[str, str]:
    """Return the names of the models in a notebook's outputs, with their digests."""
    return {
        name: digest
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        for name, digest in output.get("metadata", {})
        .get("genai_tutorial", {})
        .get("browser_models", {})
        .items()
    }


def write_models(folder: Path, models: dict[str, str]) -> None:
    """Pack the published models with these names, and write each with the engine.

    Raises:
        ExtensionError: If a model is not the one that an output was made with.
    """
    from genai_tutorial.browser import pack_published
    from genai_tutorial.edge import engine_script, model_script

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.js").write_text(engine_script(), "utf8")
    for name, digest in models.items():
        packed = pack_published(name)
        if packed.digest != digest:
            raise ExtensionError(
                f"A chapter's output was made with another version of {name!r}: "
                "execute the chapter again."
            )
        (folder / f"{name}.js").write_text(model_script(packed), "utf8")


def write_used_models(app, exception):
    """Write the models that the notebooks of the book use."""
    if exception or app.builder.format != "html":
        return
    models: dict[str, str] = {}
    for document in sorted(app.env.found_docs):
        path = Path(app.env.doc2path(document))
        if path.suffix == ".ipynb":
            for name, digest in used_models(json.loads(path.read_text("utf8"))).items():
                if models.setdefault(name, digest) != digest:
                    raise ExtensionError(
                        f"Two chapters use different versions of {name!r}: execute "
                        f"{document} again."
                    )
    if models:
        write_models(Path(app.outdir) / "models", models)


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("build-finished", write_used_models)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
