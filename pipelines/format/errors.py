"""The one exception for what a user can put right."""

import re


class LonghaulError(ValueError):
    """A refusal in one line: names the argument, its value, what is allowed and what to do next."""

    def __init__(self, message: str) -> None:
        # Names of files and columns may hold what no terminal should get, or cannot print.
        line = ' '.join(message.splitlines())
        super().__init__(''.join(c if c.isprintable() else _escaped(c) for c in line))


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
