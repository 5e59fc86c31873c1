"""The detour task: pass an obstacle on its left or on its right.

Read `paths`, whole paths round one obstacle, then `course`, where a policy moves step
by step and is pushed off its way.
"""

from .course import CourseResult, correct_moves, demonstrate_course, run_course
from .paths import crashes, draw_paths
