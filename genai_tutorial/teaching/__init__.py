"""Teaching: releases of chapters for students, grading in a sandbox, and feedback,
based on nbgrader.

Read `exercises`, which makes a release, then `submission`, `grading`, and `gradebook`
with `platforms`, which knows Canvas and Moodle.
"""

from .exercises import TeachingError, assign, find_chapter
from .gradebook import write_students, write_upload
from .grading import grade
from .submission import find_submissions
