"""The book's data sets: one module per source, read from installed packages and never
downloaded.

Each loader is a function that returns tensors or strings. A constant
such as `MNIST_SOURCE` gives the origin and the licence of the data; `SOURCES` lists
all of them.
"""

from .bank import Sense, Sentence, load_bank_sentences
from .catalogue import SOURCES
from .chorales import (
    CHORALES_SOURCE,
    HOLD,
    LONGEST_BAR,
    REST,
    VOICES,
    Chorale,
    load_chorale_split,
    load_chorales,
)
from .crystals import Compound, Crystal, load_compounds, load_crystals
from .emoji import EMOJI_SOURCE, NamedImages, load_emoji, load_emoji_split
from .espeak import (
    ACCENTS,
    ESPEAK_SOURCE,
    SAMPLE_RATE,
    Phoneme,
    Segment,
    Utterance,
    Voice,
    speak,
    speakers,
)
from .factbook.countries import (
    Country,
    load_factbook,
    load_histories,
    with_article,
)
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
from .images import (
    LEVELS,
    MNIST_SOURCE,
    Images,
    dequantize,
    from_levels,
    load_faces,
    load_mnist,
    load_mnist_split,
    random_affine,
    requantize,
    to_levels,
)
from .ligands import (
    HEAVY_ELEMENTS,
    LIGANDS_SOURCE,
    Ligand,
    graph_key,
    load_ligand_split,
    load_ligands,
)
from .molecules import (
    MOLECULES_SOURCE,
    load_drug_likeness,
    load_molecule_split,
    load_molecules,
)
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
from .shakespeare import SHAKESPEARE_SOURCE, Plays, load_shakespeare
from .source import Source
from .wikipedia import (
    DUMP,
    HELD_OUT_TITLES,
    PRETRAINING_TITLES,
    Articles,
    load_wikipedia,
    plain_text,
    read_dump,
)
