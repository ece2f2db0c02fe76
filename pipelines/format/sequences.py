"""Raw bytes -> steps of a sequence. The job and the exported model contain the same code.

An exported model takes what the job takes: the bytes of an image, of a .npy file, or a text. Both
call `decode`, so that a model never sees values of a kind that it was not trained on.
"""

import tensorflow as tf

from pipelines.format import refusals
from pipelines.format.images import refusals as image_refusals
from pipelines.format.images.files import decode_pixels
from pipelines.format.npy import decode_npy
from pipelines.format.pixels import steps_from_pixels
from pipelines.format.spec import SequenceSpec
from pipelines.format.texts import code_points, ids_of
from pipelines.format.trailing import with_trailing


def decode(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Turns one raw item into steps; works in graphs.

    Args:
      data: scalar string: the bytes of an image file, of a .npy file, or text.
      spec: of the records.

    Returns:
      uint8 [T, C] for images (static shape), uint8 or float16 [T, C] for signals, uint8 [T] for
      bytes, uint16 [T] for characters; int32 [T], the code points themselves, for characters
      without a vocabulary. Trailing steps are those of an item whose id is ''.

    Raises:
      tf.errors.InvalidArgumentError: if the bytes are no image, or no array as the spec has it;
        `reason_of` says why.
    """
    return with_trailing(_decode(data, spec), spec)


def _decode(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    if spec.kind == 'text':
        return _text(data, spec)
    if spec.kind == 'signal':
        return cut_steps(decode_npy(data, spec), spec)
    return steps_from_pixels(decode_pixels(data, spec.jpeg), spec)


def reason_of(error: tf.errors.OpError, spec: SequenceSpec) -> tuple[str, str]:
    """Why `decode` has failed: (a reason, which the job counts; a detail or '')."""
    if spec.kind == 'image':
        return image_refusals.reason_of(error)
    return refusals.reason_of(error) or ('cannot be decoded', type(error).__name__)


def _text(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    if spec.tokens == 'bytes':
        return cut_steps(tf.io.decode_raw(data, tf.uint8), spec)
    points = cut_steps(code_points(data, spec), spec)
    return points if spec.vocabulary is None else ids_of(points, spec.vocabulary)


def cut_steps(steps: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Cuts a sequence [T, ...] to `max_steps` as `cut` says."""
    most = spec.max_steps
    if most is None:
        return steps
    if spec.cut == 'head':
        return steps[:most]
    if spec.cut == 'tail':
        return steps[-most:]
    first, last = most - most // 2, most // 2
    # The last steps begin behind the first ones: a short sequence shows no step twice.
    behind = tf.maximum(tf.shape(steps)[0] - last, first)
    return tf.concat([steps[:first], steps[behind:]], axis=0)
