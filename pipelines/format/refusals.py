"""Refusals of raw items inside of graphs.

A graph cannot raise a `LonghaulError`. It fails with an InvalidArgumentError. The text of that
error contains the reason, and `reason_of` finds the reason in the text.
"""

import re

import tensorflow as tf

# TensorFlow quotes or escapes these characters when it shows a text.
_UNSAFE = r"""[^ -~]|['"\\|]"""
_LONGEST_DETAIL = 80
_FOUND = re.compile(r'longhaul rejects: ([^|]+?) \| ([^|]*?) \|')


def refuse_unless(
    condition: tf.Tensor, reason: str, detail: tf.Tensor | str = ''
) -> tf.Operation | None:
    """An operation that fails unless the condition holds; works in graphs.

    In a graph no other operation waits for the check. Build the operations that need the condition
    under `tf.control_dependencies([refuse_unless(...)])`.

    Args:
      condition: bool scalar.
      reason: what the user reads and what is counted; printable ASCII without quotes, \\ and |.
      detail: string scalar, what is particular to this item; unprintable characters become '?'.

    Returns:
      The operation that checks; None outside of graphs, where the check has run already.

    Raises:
      tf.errors.InvalidArgumentError: if the condition does not hold; `reason_of` reads it.
    """
    detail = tf.strings.substr(detail, 0, _LONGEST_DETAIL)
    # regex_replace stops at bytes that are not UTF-8.
    detail = tf.strings.unicode_transcode(detail, 'UTF-8', 'UTF-8', replacement_char=ord('?'))
    shown = tf.strings.regex_replace(detail, _UNSAFE, '?')
    text = tf.strings.join([f'longhaul rejects: {reason} | ', shown, ' |'])
    return tf.debugging.Assert(condition, [text])


def reason_of(error: BaseException) -> tuple[str, str] | None:
    """The reason and the detail of an error that comes from `refuse_unless`, else None."""
    found = _FOUND.search(str(error))
    return None if found is None else (found[1], found[2])
