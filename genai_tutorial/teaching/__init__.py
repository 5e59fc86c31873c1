"""Teaching: releases of chapters for students, grading in a sandbox, and feedback,
based on nbgrader.

Read `exercises`, which makes a release, then `submission` and `grading`. Code runs in
`sandbox`, which starts `worker` by `processes`; `session` runs an exercise's cells, and
`source` reads code before it runs. `reports` writes points and feedback.
"""

from .exercises import TeachingError, assign, find_chapter
from .grading import grade
from .submission import find_submissions
