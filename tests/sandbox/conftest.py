"""The sandbox is tried with a small chapter, as the tests of grading use it."""

from tests.teaching.conftest import chapter_path, grade_notebook, grader

__all__ = ["chapter_path", "grade_notebook", "grader"]
