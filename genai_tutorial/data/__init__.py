"""The data of the book: one module a source, read from installed packages, never
downloaded.

Each loader is one function that returns tensors or strings; its module's `SOURCE` says
where the data comes from and what its licence allows, and `SOURCES` lists them all.
"""

from genai_tutorial.data import (
    digits,
    emoji,
    faces,
    factbook,
    mnist,
    shakespeare,
    wikipedia,
)
from genai_tutorial.data.bank import Sentence, load_bank_sentences
from genai_tutorial.data.cache import cache_folder, cached
from genai_tutorial.data.captions import (
    Description,
    ObjectDescription,
    all_captions,
    caption,
    caption_words,
    describe,
    full_captions,
    parse_caption,
)
from genai_tutorial.data.demonstrations import (
    Demonstration,
    demonstrate,
    training_questions,
)
from genai_tutorial.data.digits import load_digits
from genai_tutorial.data.emoji import NamedImages, family, load_emoji
from genai_tutorial.data.faces import load_faces
from genai_tutorial.data.factbook import (
    Country,
    load_factbook,
    load_histories,
    with_article,
)
from genai_tutorial.data.factbook_facts import (
    UNASKED_RELATIONS,
    Fact,
    FactSplit,
    load_absent,
    load_facts,
    most_frequent_answers,
    split_facts,
)
from genai_tutorial.data.factbook_questions import (
    Question,
    ask_absent,
    ask_facts,
    tell_facts,
)
from genai_tutorial.data.factbook_wordings import (
    WORDINGS,
    Wording,
    fact_questions,
    fact_sentences,
)
from genai_tutorial.data.images import Images
from genai_tutorial.data.invented import (
    TOPICS,
    ask_invented,
    ask_untold,
    invented_countries,
)
from genai_tutorial.data.mixed_questions import mixed_questions
from genai_tutorial.data.mnist import load_mnist
from genai_tutorial.data.preferences import (
    GoldRule,
    Parts,
    exact_match,
    normalise_answer,
)
from genai_tutorial.data.private_requests import near_misses, private_requests
from genai_tutorial.data.random_scenes import (
    HELD_OUT_PAIRS,
    HELD_OUT_RELATIONS,
    random_scenes,
)
from genai_tutorial.data.raters import (
    Comparison,
    Rater,
    collect_comparisons,
    random_raters,
    rater_agreement,
)
from genai_tutorial.data.require import package_folder, require
from genai_tutorial.data.scenes import (
    COLOURS,
    Scene,
    SceneObject,
    place,
    relation,
    render,
)
from genai_tutorial.data.shakespeare import Plays, load_shakespeare
from genai_tutorial.data.shapes import CaptionedScenes, load_shapes
from genai_tutorial.data.source import Source
from genai_tutorial.data.wikipedia import Articles, load_wikipedia
from genai_tutorial.data.wikipedia_titles import PRETRAINING_TITLES

SOURCES: tuple[Source, ...] = (
    digits.SOURCE,
    mnist.SOURCE,
    faces.SOURCE,
    emoji.SOURCE,
    shakespeare.SOURCE,
    wikipedia.SOURCE,
    factbook.SOURCE,
)

__all__ = [
    "COLOURS",
    "HELD_OUT_PAIRS",
    "HELD_OUT_RELATIONS",
    "PRETRAINING_TITLES",
    "SOURCES",
    "TOPICS",
    "UNASKED_RELATIONS",
    "WORDINGS",
    "Articles",
    "CaptionedScenes",
    "Comparison",
    "Country",
    "Demonstration",
    "Description",
    "Fact",
    "FactSplit",
    "GoldRule",
    "Images",
    "NamedImages",
    "ObjectDescription",
    "Parts",
    "Plays",
    "Question",
    "Rater",
    "Scene",
    "SceneObject",
    "Sentence",
    "Source",
    "Wording",
    "all_captions",
    "ask_absent",
    "ask_facts",
    "ask_invented",
    "ask_untold",
    "cache_folder",
    "cached",
    "caption",
    "caption_words",
    "collect_comparisons",
    "demonstrate",
    "describe",
    "exact_match",
    "fact_questions",
    "fact_sentences",
    "family",
    "full_captions",
    "invented_countries",
    "load_absent",
    "load_bank_sentences",
    "load_digits",
    "load_emoji",
    "load_faces",
    "load_factbook",
    "load_facts",
    "load_histories",
    "load_mnist",
    "load_shakespeare",
    "load_shapes",
    "load_wikipedia",
    "mixed_questions",
    "most_frequent_answers",
    "near_misses",
    "normalise_answer",
    "package_folder",
    "parse_caption",
    "place",
    "private_requests",
    "random_raters",
    "random_scenes",
    "rater_agreement",
    "relation",
    "render",
    "require",
    "split_facts",
    "tell_facts",
    "training_questions",
    "with_article",
]
