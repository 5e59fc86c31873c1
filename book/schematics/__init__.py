"""The book's schematics, drawn with a small kit: `python -m book.schematics` writes
them into the package, as SVG and as PNG.
"""
