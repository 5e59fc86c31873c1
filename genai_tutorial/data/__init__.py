"""The book's data sets: one module per source, read from installed packages and never
downloaded.

Each loader is a function that returns tensors or strings. The constant `SOURCE` of its
module gives the origin and the licence of the data; `SOURCES` lists all of them.
"""

from genai_tutorial.data import (
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
from genai_tutorial.data.augmentation import random_affine
from genai_tutorial.data.bank import Sentence, load_bank_sentences
from genai_tutorial.data.chorales import (
    HOLD,
    LONGEST_BAR,
    REST,
    VOICES,
    Chorale,
    load_chorale_split,
    load_chorales,
)
from genai_tutorial.data.crystals import (
    Compound,
    Crystal,
    load_compounds,
    load_crystals,
    parse_formula,
)
from genai_tutorial.data.digits import load_digits
from genai_tutorial.data.emoji import NamedImages, family, load_emoji, load_emoji_split
from genai_tutorial.data.espeak import SAMPLE_RATE, Phoneme, Segment, Utterance, speak
from genai_tutorial.data.faces import load_faces
from genai_tutorial.data.factbook import countries
from genai_tutorial.data.factbook.countries import (
    Country,
    load_factbook,
    load_histories,
    with_article,
)
from genai_tutorial.data.factbook.facts import (
    UNASKED_RELATIONS,
    Fact,
    FactSplit,
    load_absent,
    load_fact_split,
    load_facts,
    most_frequent_answers,
    split_facts,
)
from genai_tutorial.data.images import Images
from genai_tutorial.data.levels import (
    LEVELS,
    dequantize,
    from_levels,
    requantize,
    to_levels,
)
from genai_tutorial.data.ligands import (
    HEAVY_ELEMENTS,
    Ligand,
    graph_key,
    load_ligand_split,
    load_ligands,
)
from genai_tutorial.data.mnist import load_mnist, load_mnist_split
from genai_tutorial.data.molecules import (
    load_drug_likeness,
    load_molecule_split,
    load_molecules,
    standardize_smiles,
)
from genai_tutorial.data.peptides import (
    AMINO_ACIDS,
    Peptide,
    PeptideSplit,
    cluster_sequences,
    load_peptide_split,
    load_peptide_table,
    load_peptides,
    sequence_words,
)
from genai_tutorial.data.python_code import LibraryFunction, load_functions
from genai_tutorial.data.shakespeare import Plays, load_shakespeare
from genai_tutorial.data.source import Source
from genai_tutorial.data.voices import ACCENTS, Voice, speakers
from genai_tutorial.data.wikipedia import (
    DUMP,
    Articles,
    load_wikipedia,
    plain_text,
    read_dump,
)
from genai_tutorial.data.wikipedia_titles import HELD_OUT_TITLES, PRETRAINING_TITLES

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

__all__ = [
    "ACCENTS",
    "AMINO_ACIDS",
    "DUMP",
    "HEAVY_ELEMENTS",
    "HELD_OUT_TITLES",
    "HOLD",
    "LEVELS",
    "LONGEST_BAR",
    "PRETRAINING_TITLES",
    "REST",
    "SAMPLE_RATE",
    "SOURCES",
    "UNASKED_RELATIONS",
    "VOICES",
    "Articles",
    "Chorale",
    "Compound",
    "Country",
    "Crystal",
    "Fact",
    "FactSplit",
    "Images",
    "LibraryFunction",
    "Ligand",
    "NamedImages",
    "Peptide",
    "PeptideSplit",
    "Phoneme",
    "Plays",
    "Segment",
    "Sentence",
    "Source",
    "Utterance",
    "Voice",
    "cluster_sequences",
    "dequantize",
    "family",
    "from_levels",
    "graph_key",
    "load_absent",
    "load_bank_sentences",
    "load_chorale_split",
    "load_chorales",
    "load_compounds",
    "load_crystals",
    "load_digits",
    "load_drug_likeness",
    "load_emoji",
    "load_emoji_split",
    "load_faces",
    "load_fact_split",
    "load_factbook",
    "load_facts",
    "load_functions",
    "load_histories",
    "load_ligand_split",
    "load_ligands",
    "load_mnist",
    "load_mnist_split",
    "load_molecule_split",
    "load_molecules",
    "load_peptide_split",
    "load_peptide_table",
    "load_peptides",
    "load_shakespeare",
    "load_wikipedia",
    "most_frequent_answers",
    "parse_formula",
    "plain_text",
    "random_affine",
    "read_dump",
    "requantize",
    "sequence_words",
    "speak",
    "speakers",
    "split_facts",
    "standardize_smiles",
    "to_levels",
    "with_article",
]
