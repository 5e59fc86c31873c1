"""Teaching: releases of chapters for students, grading in a sandbox, and feedback,
based on nbgrader.

Read `exercises`, which makes a release, then `submission` and `grading`.
"""

from .exercises import TeachingError, assign, find_chapter
from .grading import grade
from .submission import find_submissions
