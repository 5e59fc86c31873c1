"""The package behind *Generative AI Explained, in Running Code*: one room for each
subject of the book.
"""

__version__ = "1.0.0.dev0"
