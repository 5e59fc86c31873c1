"""All data sources, in the order of the page *Data and licences*."""

from .chorales import CHORALES_SOURCE
from .emoji import EMOJI_SOURCE
from .espeak import ESPEAK_SOURCE
from .factbook.countries import FACTBOOK_SOURCE
from .images import FACES_SOURCE, MNIST_SOURCE
from .ligands import LIGANDS_SOURCE
from .molecules import MOLECULES_SOURCE
from .peptides import PEPTIDES_SOURCE
from .shakespeare import SHAKESPEARE_SOURCE
from .source import Source
from .wikipedia import WIKIPEDIA_SOURCE

SOURCES: tuple[Source, ...] = (
    MNIST_SOURCE,
    FACES_SOURCE,
    EMOJI_SOURCE,
    SHAKESPEARE_SOURCE,
    WIKIPEDIA_SOURCE,
    FACTBOOK_SOURCE,
    ESPEAK_SOURCE,
    CHORALES_SOURCE,
    LIGANDS_SOURCE,
    MOLECULES_SOURCE,
    PEPTIDES_SOURCE,
)
