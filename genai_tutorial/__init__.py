"""The package behind *Generative AI Explained, in Running Code*: one room for each
subject of the book.
"""

__version__ = "0.1.0"
