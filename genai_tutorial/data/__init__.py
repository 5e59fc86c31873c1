"""The book's data sets: one module per source, read from installed packages and never
downloaded.

Each loader is a function that returns tensors or strings. The constant `SOURCE` of its
module gives the origin and the licence of the data; `SOURCES` lists all of them.
"""

from . import (
    chorales,
    digits,
    emoji,
    espeak,
    faces,
    ligands,
    mnist,
    molecules,
    peptides,
    shakespeare,
    wikipedia,
)
from .augmentation import random_affine
from .bank import Sense, Sentence, load_bank_sentences
from .chorales import (
    HOLD,
    LONGEST_BAR,
    REST,
    VOICES,
    Chorale,
    load_chorale_split,
    load_chorales,
)
from .crystals import Compound, Crystal, load_compounds, load_crystals
from .digits import load_digits
from .emoji import NamedImages, load_emoji, load_emoji_split
from .espeak import (
    ACCENTS,
    SAMPLE_RATE,
    Phoneme,
    Segment,
    Utterance,
    Voice,
    speak,
    speakers,
)
from .faces import load_faces
from .factbook import countries
from .factbook.countries import Country, load_factbook, load_histories, with_article
from .factbook.facts import (
    UNASKED_RELATIONS,
    Fact,
    FactSplit,
    Relation,
    load_absent,
    load_fact_split,
    load_facts,
    most_frequent_answers,
)
from .images import Images
from .levels import LEVELS, dequantize, from_levels, requantize, to_levels
from .ligands import (
    HEAVY_ELEMENTS,
    Ligand,
    graph_key,
    load_ligand_split,
    load_ligands,
)
from .mnist import load_mnist, load_mnist_split
from .molecules import load_drug_likeness, load_molecule_split, load_molecules
from .peptides import (
    AMINO_ACIDS,
    Peptide,
    PeptideSplit,
    load_peptide_split,
    load_peptide_table,
    load_peptides,
    sequence_words,
)
from .python_code import LibraryFunction, load_functions
from .shakespeare import Plays, load_shakespeare
from .source import Source
from .wikipedia import (
    DUMP,
    HELD_OUT_TITLES,
    PRETRAINING_TITLES,
    Articles,
    load_wikipedia,
    read_dump,
)
from .wikitext import plain_text

SOURCES: tuple[Source, ...] = (
    digits.SOURCE,
    mnist.SOURCE,
    faces.SOURCE,
    emoji.SOURCE,
    shakespeare.SOURCE,
    wikipedia.SOURCE,
    countries.SOURCE,
    espeak.SOURCE,
    chorales.SOURCE,
    ligands.SOURCE,
    molecules.SOURCE,
    peptides.SOURCE,
)
