"""The sandbox is tested with the small chapter of the grading tests."""

from tests.teaching.conftest import chapter_path, grade_notebook, grader

__all__ = ["chapter_path", "grade_notebook", "grader"]
