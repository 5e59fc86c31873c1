"""User errors: one line on standard error and an exit code, without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

WRONG_USE = 2
NOT_POSSIBLE = 1


class UserError(Exception):
    """Raised to end a command with a message and an exit code: `WRONG_USE` if the
    command line is wrong, `NOT_POSSIBLE` if it is correct but cannot be carried out.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def user_errors(*kinds: type[Exception], exit_code: int) -> Iterator[None]:
    """Convert these exceptions to user errors. All others are bugs and keep their
    traceback.

    >>> with user_errors(ValueError, exit_code=WRONG_USE):
    ...     int("four")
    Traceback (most recent call last):
    genai_tutorial.cli.user_errors.UserError: invalid literal for int() ...
    """
    try:
        yield
    except kinds as error:
        raise UserError(str(error), exit_code) from error
