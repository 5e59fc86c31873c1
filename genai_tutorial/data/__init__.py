"""The book's data sets: one module per source, read from installed packages and never
downloaded.

Each loader is a function that returns tensors or strings. `SOURCES` lists the origin
and the licence of the data.
"""

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
    Ligand,
    graph_key,
    load_ligand_split,
    load_ligands,
)
from .molecules import (
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
from .shakespeare import Plays, load_shakespeare
from .source import (
    CHORALES_SOURCE,
    EMOJI_SOURCE,
    ESPEAK_SOURCE,
    LIGANDS_SOURCE,
    MNIST_SOURCE,
    MOLECULES_SOURCE,
    SHAKESPEARE_SOURCE,
    SOURCES,
    Source,
)
from .wikipedia import (
    DUMP,
    HELD_OUT_TITLES,
    PRETRAINING_TITLES,
    Articles,
    load_wikipedia,
    plain_text,
    read_dump,
)
