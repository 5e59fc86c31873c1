"""Retrieval: find the passages that answer a question, by words and by meaning."""

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
from genai_tutorial.retrieval.fusion import reciprocal_rank_fusion, weighted_fusion
from genai_tutorial.retrieval.inverted_file import InvertedFileIndex
from genai_tutorial.retrieval.product_quantizer import ProductQuantizer, QuantizedIndex
from genai_tutorial.retrieval.sentence_encoder import (
    PostNormBlock,
    SentenceEncoder,
    SentenceEncoderConfig,
    SentenceVectors,
)
from genai_tutorial.retrieval.small_world import SmallWorldGraph
from genai_tutorial.retrieval.store import (
    Hit,
    Passage,
    PassageStore,
    has_full_text_search,
)
from genai_tutorial.retrieval.vector_index import (
    FlatIndex,
    SearchResult,
    recall_of_neighbours,
)

__all__ = [
    "BM25Index",
    "Chunk",
    "FlatIndex",
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
    "chunk_sentences",
    "chunk_text",
    "floored_weight",
    "has_full_text_search",
    "lucene_weight",
    "recall_of_neighbours",
    "reciprocal_rank_fusion",
    "split_sentences",
    "weighted_fusion",
    "words",
    "words_and_codes",
]
