"""Retrieval: find the passages that answer a question, by words and by meaning, and let
a language model answer from them.
"""

from genai_tutorial.retrieval.answering import answer_or_abstain
from genai_tutorial.retrieval.attribution import (
    citation_precision,
    citation_recall,
    leave_one_out_attribution,
)
from genai_tutorial.retrieval.bm25 import (
    BM25Index,
    floored_weight,
    lucene_weight,
    words,
    words_and_codes,
)
from genai_tutorial.retrieval.chunking import (
    Chunk,
    chunk_sentences,
    chunk_text,
    split_sentences,
)
from genai_tutorial.retrieval.combine import CombinedAnswer, map_reduce, refine
from genai_tutorial.retrieval.fusion import reciprocal_rank_fusion, weighted_fusion
from genai_tutorial.retrieval.grounded import (
    ABSTENTION,
    ChatModel,
    GroundedAnswer,
    grounded_prompt,
    written_citations,
)
from genai_tutorial.retrieval.inverted_file import InvertedFileIndex
from genai_tutorial.retrieval.passages import Hit, Passage
from genai_tutorial.retrieval.product_quantizer import ProductQuantizer, QuantizedIndex
from genai_tutorial.retrieval.rerank import late_interaction, query_likelihood, rerank
from genai_tutorial.retrieval.scoring import continuation_log_likelihoods
from genai_tutorial.retrieval.sentence_encoder import (
    PostNormBlock,
    SentenceEncoder,
    SentenceEncoderConfig,
    SentenceVectors,
)
from genai_tutorial.retrieval.small_world import SmallWorldGraph
from genai_tutorial.retrieval.store import PassageStore
from genai_tutorial.retrieval.store_file import has_full_text_search
from genai_tutorial.retrieval.vector_index import (
    FlatIndex,
    SearchResult,
    recall_of_neighbours,
)
from genai_tutorial.retrieval.voting import vote_of_sources

__all__ = [
    "ABSTENTION",
    "BM25Index",
    "ChatModel",
    "Chunk",
    "CombinedAnswer",
    "FlatIndex",
    "GroundedAnswer",
    "Hit",
    "InvertedFileIndex",
    "Passage",
    "PassageStore",
    "PostNormBlock",
    "ProductQuantizer",
    "QuantizedIndex",
    "SearchResult",
    "SentenceEncoder",
    "SentenceEncoderConfig",
    "SentenceVectors",
    "SmallWorldGraph",
    "answer_or_abstain",
    "chunk_sentences",
    "chunk_text",
    "citation_precision",
    "citation_recall",
    "continuation_log_likelihoods",
    "floored_weight",
    "grounded_prompt",
    "has_full_text_search",
    "late_interaction",
    "leave_one_out_attribution",
    "lucene_weight",
    "map_reduce",
    "query_likelihood",
    "recall_of_neighbours",
    "reciprocal_rank_fusion",
    "refine",
    "rerank",
    "split_sentences",
    "vote_of_sources",
    "weighted_fusion",
    "words",
    "words_and_codes",
    "written_citations",
]
