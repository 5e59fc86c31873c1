"""The tasks that models are asked to do, each a room with its data and its judge."""

from .task import EndlessBatches, check_same_length, own_source, read_words
