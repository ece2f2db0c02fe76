"""Reasons why an image file is refused inside a graph.

A graph fails with a text. `unless` writes the reason into the text, and `reason_of` reads it. The
reasons are fixed, so that the job can count rejected items by reason.
"""

import enum
import re

import tensorflow as tf

from pipelines.format.images.limits import MAX_ALPHA_PIXELS, MAX_PIXELS


class Problem(enum.Enum):
    """What is wrong with a file, in words for users. Graphs know a problem by its place here."""

    NONE = ''
    EMPTY = 'the file is empty'
    OTHER_KIND = 'neither a PNG, a JPEG, a GIF nor a BMP file'
    DAMAGED = 'not a readable image: damaged or cut off'
    TOO_LARGE = f'more than {MAX_PIXELS} pixels'
    OTHER_BMP = 'a kind of BMP that is not read: save it as PNG'
    UNCLEAR_CMYK = 'a CMYK JPEG that does not say whether its ink is inverted: save it as RGB'
    MANY_SCANS = 'a JPEG of more scans than are read: save it again'
    LARGE_ALPHA = f'more than {MAX_ALPHA_PIXELS} pixels with transparency'


REASONS = tuple(problem.value for problem in Problem)
_DETAILS = {
    Problem.TOO_LARGE.value: '{} x {}',
    Problem.LARGE_ALPHA.value: '{} x {}',
    Problem.OTHER_BMP.value: '{} bits, compression {}',
}
_MARK = 'longhaul rejects: '
_MESSAGE = re.compile(rf'\[{_MARK}([^\]]+)\] \[(-?\d+)\] \[(-?\d+)\]')


def first_problem(*found: tuple[tf.Tensor, Problem]) -> tf.Tensor:
    """The first problem whose condition holds.

    Args:
      *found: (condition, problem); a condition is a bool scalar tensor.

    Returns:
      int32 scalar, the place of a `Problem`; 0 if no condition holds.
    """
    place = tf.constant(0)
    for condition, problem in reversed(found):
        place = tf.where(condition, REASONS.index(problem.value), place)
    return place


def unless(
    problem: tf.Tensor, value: tf.Tensor, *, numbers: tuple[tf.Tensor | int, tf.Tensor | int]
) -> tf.Tensor:
    """Returns `value`, and makes the graph fail if there is a problem.

    Use the returned tensor: operations on it run only after the check.

    Args:
      problem: int32 scalar, from `first_problem`.
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
        condition=tf.equal(problem, 0),
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
        return Problem.DAMAGED.value, ''
    reason, *numbers = found.groups()
    return reason, _DETAILS.get(reason, '').format(*numbers)
