"""Retrieval: find the passages that answer a question, by words and by meaning, and let
a language model answer from them.
"""

from .answering import answer_or_abstain
from .attribution import leave_one_out_attribution
from .bm25 import BM25Index, InverseFrequency, SplitWords, words, words_and_codes
from .chunking import Chunk, Count, chunk_sentences, chunk_text, split_sentences
from .combine import CombinedAnswer, map_reduce, refine
from .fusion import reciprocal_rank_fusion, weighted_fusion
from .grounded import (
    ABSTENTION,
    ChatModel,
    GroundedAnswer,
    grounded_prompt,
    written_citations,
)
from .inverted_file import InvertedFileIndex
from .passages import Hit, Passage
from .product_quantizer import ProductQuantizer, QuantizedIndex
from .rerank import late_interaction, query_likelihood, rerank
from .scoring import continuation_log_likelihoods
from .sentence_encoder import SentenceEncoder, SentenceEncoderConfig, SentenceVectors
from .small_world import SmallWorldGraph
from .store import PassageStore
from .store_file import has_full_text_search
from .vector_index import FlatIndex, SearchResult, recall_of_neighbours
from .voting import vote_of_sources
