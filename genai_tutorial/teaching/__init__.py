"""Teaching: releases of chapters for students, grading in a sandbox, and feedback,
based on nbgrader.
"""

from .exercises import TeachingError, assign, find_chapter
from .grading import grade
from .submission import find_submissions
