"""Retrieval: find the passages that answer a question, by words and by meaning, and let
a language model answer from them.
"""

from .bm25 import (
    BM25Index,
    SplitWords,
    words,
    words_and_codes,
)
from .chunking import (
    Chunk,
    Hit,
    Passage,
    chunk_sentences,
    chunk_text,
    split_sentences,
)
from .fusion import (
    CombinedAnswer,
    late_interaction,
    map_reduce,
    query_likelihood,
    reciprocal_rank_fusion,
    refine,
    rerank,
    vote_of_sources,
)
from .grounded import (
    ABSTENTION,
    ChatModel,
    GroundedAnswer,
    answer_or_abstain,
    continuation_log_likelihoods,
    grounded_prompt,
    leave_one_out_attribution,
)
from .sentence_encoder import SentenceEncoder, SentenceEncoderConfig, SentenceVectors
from .small_world import SmallWorldGraph
from .store import PassageStore, has_full_text_search
from .vector_index import (
    FlatIndex,
    InvertedFileIndex,
    NearestVectors,
    ProductQuantizer,
    recall_of_neighbours,
)
