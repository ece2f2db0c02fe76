"""Why an image file is not read, said inside the graph and understood outside of it.

A graph can only fail with a text. These texts are fixed, so that the job counts its rejected items
by reason, whether the graph is its own or an exported model.
"""

import enum
import re

import tensorflow as tf

# Beyond it a small file is a bomb, not a picture: it takes gigabytes while it is resized.
MAX_PIXELS = 1 << 27


class Problem(enum.IntEnum):
    """What is wrong with a file; its reason is `REASONS[problem]`."""

    NONE = 0
    EMPTY = 1
    OTHER_KIND = 2
    DAMAGED = 3
    TOO_LARGE = 4
    OTHER_BMP = 5
    UNCLEAR_CMYK = 6


REASONS = (
    '',
    'the file is empty',
    'neither a PNG, a JPEG, a GIF nor a BMP file',
    'not a readable image: damaged or cut off',
    f'more than {MAX_PIXELS} pixels',
    'a kind of BMP that is not read: save it as PNG',
    'a CMYK JPEG that does not say whether its ink is inverted: save it as RGB',
)
_DETAILS = {
    REASONS[Problem.TOO_LARGE]: '{} x {}',
    REASONS[Problem.OTHER_BMP]: '{} bits, compression {}',
}
_MARK = 'longhaul rejects: '
_MESSAGE = re.compile(rf'\[{_MARK}([^\]]+)\] \[(-?\d+)\] \[(-?\d+)\]')


def first_problem(*found: tuple[tf.Tensor, Problem]) -> tf.Tensor:
    """The first problem that is there.

    Args:
      *found: (bool scalar tensor: whether it is there, problem), what to say first coming first.

    Returns:
      int32 scalar, `Problem.NONE` for none.
    """
    problem = tf.constant(int(Problem.NONE))
    for condition, name in reversed(found):
        problem = tf.where(condition, int(name), problem)
    return problem


def unless(
    problem: tf.Tensor, value: tf.Tensor, *, numbers: tuple[tf.Tensor | int, tf.Tensor | int]
) -> tf.Tensor:
    """`value`, which nothing that depends on it sees if there is a problem.

    Args:
      problem: int32 scalar, a `Problem`.
      value: any tensor.
      numbers: two integers for the reason's detail.

    Returns:
      `value`, once it is known that the problem is `Problem.NONE`.

    Raises:
      tf.errors.InvalidArgumentError: (when the graph runs) otherwise; see `reason_of`.
    """
    texts = tf.constant([_MARK + reason for reason in REASONS])
    # Not tf.debugging.Assert: it words its message in another way outside of graphs.
    verdict = tf.raw_ops.Assert(
        condition=tf.equal(problem, int(Problem.NONE)),
        data=[tf.gather(texts, problem), *map(tf.convert_to_tensor, numbers)],
        summarize=1,
    )
    with tf.control_dependencies([verdict]):
        return tf.identity(value)


def reason_of(error: tf.errors.OpError) -> tuple[str, str]:
    """Why a decoding failed.

    Args:
      error: what the graph raised.

    Returns:
      (reason, detail), one of `REASONS`; the detail is '' where there is none. Errors of
      TensorFlow's own decoders all mean that the file is damaged.
    """
    found = _MESSAGE.search(error.message)
    if found is None:
        return REASONS[Problem.DAMAGED], ''
    reason, *numbers = found.groups()
    return reason, _DETAILS.get(reason, '').format(*numbers)
