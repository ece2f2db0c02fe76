"""The one exception for what a user can put right."""

import re


class LonghaulError(ValueError):
    """A refusal in one line: names the argument, its value, what is allowed and what to do next."""

    def __init__(self, message: str) -> None:
        # Names of files and columns may hold what no terminal should get, or cannot print.
        super().__init__(printable(' '.join(message.splitlines())))


def first_line(error: BaseException) -> str:
    """The first line of what an error says, at most 300 characters; its name if it says nothing."""
    lines = str(getattr(error, 'message', None) or error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def printable(text: str, *, keep: str = '') -> str:
    """Text for a terminal: what is not printable is escaped, but for the characters in `keep`."""
    return ''.join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode('unicode_escape').decode('ascii')


def wrapped(error: BaseException) -> LonghaulError | None:
    """Our error out of another library's, or None if it is none of ours.

    Beam's runners and tf.data wrap what a worker raises into an error and a text of their own.
    """
    text = str(error)
    if not isinstance(error, LonghaulError):
        found = re.search(r'LonghaulError: (.*)', text)
        if found is None:
            return None
        text = found[1]
    return LonghaulError(text.partition(' [while running')[0])
