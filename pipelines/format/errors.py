"""The one exception for what a user can put right."""

import re


class LonghaulError(ValueError):
    """A refusal: names the argument, the value it got, what is allowed and what to do next."""


def wrapped(error: BaseException) -> LonghaulError | None:
    """Our error inside the text of another library's.

    Beam's runners and tf.data wrap what a worker raises into an error and a text of their own.
    """
    found = re.search(r'LonghaulError: (.*?)(?: \[while running|\n|$)', str(error))
    return LonghaulError(found[1]) if found else None
