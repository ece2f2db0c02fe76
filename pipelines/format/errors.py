"""`LonghaulError`, the one exception for what a user can put right, and texts of errors."""

import re


class LonghaulError(ValueError):
    """A refusal in one line.

    The line names the argument, its value, what is allowed and what to do next.
    """

    def __init__(self, message: str) -> None:
        # Names of files and columns may hold characters that a terminal must not get.
        super().__init__(printable(' '.join(message.splitlines())))


def first_line(error: BaseException) -> str:
    """The first line of an error's text, cut to 300 characters; without text its name."""
    lines = str(getattr(error, 'message', None) or error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def printable(text: str, *, keep: str = '') -> str:
    """The text with escapes for all characters that a terminal cannot print.

    Args:
      text: to be printed.
      keep: characters that are not escaped.
    """
    return ''.join(
        c if c.isprintable() or c in keep else c.encode('unicode_escape').decode() for c in text
    )


def is_interrupt(error: BaseException | None) -> bool:
    """Whether an error is a Ctrl-C that Beam's runners have wrapped."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt) or re.match(r'KeyboardInterrupt\b', str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def wrapped(error: BaseException) -> LonghaulError | None:
    """Finds the LonghaulError that a worker has raised; None if the error is another one.

    Beam's runners and tf.data raise errors of their own, whose text contains the worker's text.
    """
    text = str(error)
    if not isinstance(error, LonghaulError):
        found = re.search(r'LonghaulError: (.*)', text)
        if found is None:
            return None
        text = found[1]
    return LonghaulError(text.partition(' [while running')[0])
