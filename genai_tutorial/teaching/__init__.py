"""Teaching: releases of chapters for students, grading in a sandbox, and feedback,
based on nbgrader.
"""

from genai_tutorial.teaching.exercises import (
    Chapter,
    Exercise,
    Part,
    TeachingError,
    find_chapter,
    read_chapter,
)
from genai_tutorial.teaching.feedback import feedback_page, grades_table
from genai_tutorial.teaching.grade import Grader, grade
from genai_tutorial.teaching.release import assign, release
from genai_tutorial.teaching.results import Report, Result
from genai_tutorial.teaching.submission import (
    Submission,
    find_submissions,
    read_submission,
)

__all__ = [
    "Chapter",
    "Exercise",
    "Grader",
    "Part",
    "Report",
    "Result",
    "Submission",
    "TeachingError",
    "assign",
    "feedback_page",
    "find_chapter",
    "find_submissions",
    "grade",
    "grades_table",
    "read_chapter",
    "read_submission",
    "release",
]
