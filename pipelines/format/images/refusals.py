"""Reasons why an image file is refused inside a graph.

A graph fails with a text. `unless` writes the reason into the text, and `reason_of` reads it. The
reasons are fixed, so that the job can count rejected items by reason.
"""

import enum
import re

import tensorflow as tf

# A larger picture would take gigabytes of memory, even out of a small file.
MAX_PIXELS = 1 << 27
# Transparent pixels take twice the memory while they are put on white.
MAX_ALPHA_PIXELS = 1 << 26


class Problem(enum.IntEnum):
    """What is wrong with a file. `REASONS[problem]` is the text for users."""

    NONE = 0
    EMPTY = 1
    OTHER_KIND = 2
    DAMAGED = 3
    TOO_LARGE = 4
    OTHER_BMP = 5
    UNCLEAR_CMYK = 6
    MANY_SCANS = 7
    LARGE_ALPHA = 8


REASONS = (
    '',
    'the file is empty',
    'neither a PNG, a JPEG, a GIF nor a BMP file',
    'not a readable image: damaged or cut off',
    f'more than {MAX_PIXELS} pixels',
    'a kind of BMP that is not read: save it as PNG',
    'a CMYK JPEG that does not say whether its ink is inverted: save it as RGB',
    'a JPEG of more scans than are read: save it again',
    f'more than {MAX_ALPHA_PIXELS} pixels with transparency',
)
_DETAILS = {
    REASONS[Problem.TOO_LARGE]: '{} x {}',
    REASONS[Problem.LARGE_ALPHA]: '{} x {}',
    REASONS[Problem.OTHER_BMP]: '{} bits, compression {}',
}
_MARK = 'longhaul rejects: '
_MESSAGE = re.compile(rf'\[{_MARK}([^\]]+)\] \[(-?\d+)\] \[(-?\d+)\]')


def first_problem(*found: tuple[tf.Tensor, Problem]) -> tf.Tensor:
    """The first problem whose condition holds.

    Args:
      *found: (condition, problem); a condition is a bool scalar tensor.

    Returns:
      int32 scalar, a `Problem`; `Problem.NONE` if no condition holds.
    """
    problem = tf.constant(int(Problem.NONE))
    for condition, name in reversed(found):
        problem = tf.where(condition, int(name), problem)
    return problem


def unless(
    problem: tf.Tensor, value: tf.Tensor, *, numbers: tuple[tf.Tensor | int, tf.Tensor | int]
) -> tf.Tensor:
    """Returns `value`, and makes the graph fail if there is a problem.

    Use the returned tensor: operations on it run only after the check.

    Args:
      problem: int32 scalar, a `Problem`.
      value: any tensor.
      numbers: two integers for the detail of the refusal, see `_DETAILS`.

    Returns:
      A tensor equal to `value`.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs and there is a problem; see `reason_of`.
    """
    texts = tf.constant([_MARK + reason for reason in REASONS])
    # tf.debugging.Assert would word its message in another way outside of graphs.
    verdict = tf.raw_ops.Assert(
        condition=tf.equal(problem, int(Problem.NONE)),
        data=[tf.gather(texts, problem), *map(tf.convert_to_tensor, numbers)],
        summarize=1,
    )
    with tf.control_dependencies([verdict]):
        return tf.identity(value)


def reason_of(error: tf.errors.OpError) -> tuple[str, str]:
    """Reads why a decoding has failed. Any error of TensorFlow's decoders means damage.

    Args:
      error: the error that the graph has raised.

    Returns:
      (reason, detail): the reason is one of `REASONS`; the detail is '' for none.
    """
    found = _MESSAGE.search(error.message)
    if found is None:
        return REASONS[Problem.DAMAGED], ''
    reason, *numbers = found.groups()
    return reason, _DETAILS.get(reason, '').format(*numbers)
