"""Refusals inside of graphs: a raw item that cannot be used says why, wherever it is decoded.

A graph knows no `LonghaulError`. It fails with an InvalidArgumentError, whose text carries the
reason in a form that `reason_of` finds again.
"""

import re

import tensorflow as tf

# A text that TensorFlow shows quoted, escaped or in brackets comes back whole without these.
_UNSAFE = r"""[^ -~]|['"\\|]"""
_LONGEST_DETAIL = 80
_FOUND = re.compile(r'longhaul rejects: ([^|]+?) \| ([^|]*?) \|')


def refuse_unless(
    condition: tf.Tensor, reason: str, detail: tf.Tensor | str = ''
) -> tf.Operation | None:
    """Fails where the condition does not hold; works in graphs.

    In a graph nothing waits for it by itself: compute what needs the condition under
    `tf.control_dependencies([refuse_unless(...)])`.

    Args:
      condition: bool scalar.
      reason: what the user reads and what is counted; printable ASCII without quotes, \\ and |.
      detail: string scalar, what is particular to this item; other characters show as '?'.

    Returns:
      The operation that checks; None where it is computed at once.

    Raises:
      tf.errors.InvalidArgumentError: see `reason_of`.
    """
    detail = tf.strings.substr(detail, 0, _LONGEST_DETAIL)
    # Bytes that are no UTF-8 would stop the search.
    detail = tf.strings.unicode_transcode(detail, 'UTF-8', 'UTF-8', replacement_char=ord('?'))
    shown = tf.strings.regex_replace(detail, _UNSAFE, '?')
    text = tf.strings.join([f'longhaul rejects: {reason} | ', shown, ' |'])
    return tf.debugging.Assert(condition, [text])


def reason_of(error: BaseException) -> tuple[str, str] | None:
    """The reason and the detail of an error that comes from `refuse_unless`, else None."""
    found = _FOUND.search(str(error))
    return None if found is None else (found[1], found[2])
