"""The tasks that models are asked to do, each a room with its data and its judge."""

from .task import check_same_length, read_words
