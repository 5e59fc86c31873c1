"""Teaching: releases of chapters for students, grading in a sandbox, and feedback,
based on nbgrader.

Read `exercises`, which makes a release, and `handouts` with `versions`; then
`submission`, `grading`, and `gradebook`
with `platforms`, which knows Canvas and Moodle. For the lesson, read `slides` and
`questions`, which show and check what `references` finds in a chapter.
"""

from .exercises import TeachingError, find_chapter
from .gradebook import write_students, write_upload
from .grading import grade
from .handouts import assign
from .questions import check_questions, write_gift
from .references import number_named
from .slides import write_all_slides, write_slides
from .submission import find_submissions
