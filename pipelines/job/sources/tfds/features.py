"""Chooses the feature of a TFDS data set that is read, and the feature with the label."""

import dataclasses
from typing import Any

from pipelines.format.errors import LonghaulError


@dataclasses.dataclass(frozen=True)
class Choice:
    """The features that are read of an example.

    Attributes:
      kind: 'image' or 'text'.
      content: name of the feature with the image or the text.
      label: name of the ClassLabel; None for none.
      channels: 1 for images of one channel, else 3; 1 for text.
      image_size: the side of all images, if the shape of the feature says one; else None.
      class_names: names of the classes by number; None without a label or without names.
    """

    kind: str
    content: str
    label: str | None
    channels: int
    image_size: int | None
    class_names: tuple[str, ...] | None


def choose(
    name: str, info: Any, *, text_column: str | None = None, label_column: str | None = None
) -> Choice:
    """Chooses among the features at the top level of a data set.

    An Image is chosen before a Text: in a data set of images, a Text is a file name or a caption.
    With text_column, the Text is chosen. Of several features of a kind, the one in the
    `supervised_keys` of the data set is chosen.

    Args:
      name: name of the data set, for refusals.
      info: tfds.core.DatasetInfo.
      text_column: name of the Text; None: the only one.
      label_column: name of the ClassLabel; None: the only one, or none.

    Raises:
      LonghaulError: if there is no image and no text, or several and nothing says which one.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    features = info.features if isinstance(info.features, tfds.features.FeaturesDict) else {}
    images = [k for k, f in features.items() if _is_image(f)]
    texts = [k for k, f in features.items() if _is_text(f)]
    labels = [k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
    supervised = set(tf.nest.flatten(info.supervised_keys or ()))
    if text_column is None and not images and not texts:
        found = ', '.join(f'{k} ({type(f).__name__})' for k, f in features.items())
        raise LonghaulError(
            f'--source=tfds:{name}: neither an image of bytes (Image of uint8) nor a text is at '
            f'the top level of its examples, which hold: {found or "nothing with a name"}; name '
            'another data set'
        )
    label = None
    if labels or label_column is not None:
        label = _one(name, 'label_column', label_column, labels, supervised)
    if text_column is not None or not images:
        content = _one(name, 'text_column', text_column, texts, supervised)
        return Choice('text', content, label, 1, None, _names(features, label))
    content = _only(
        images,
        supervised,
        f'--source=tfds:{name}: has several images ({", ".join(images)}), and does not say which '
        'of them is to be classified; name a data set with one',
    )
    height, width, channels = features[content].shape
    return Choice(
        kind='image',
        content=content,
        label=label,
        channels=1 if channels == 1 else 3,
        image_size=height if height == width else None,
        class_names=_names(features, label),
    )


def _is_image(feature: Any) -> bool:
    """Whether a feature holds images of bytes. Other features may store depths or labels as PNG."""
    import numpy as np
    import tensorflow_datasets as tfds

    if type(feature) is not tfds.features.Image:
        return False
    return feature.np_dtype == np.uint8 and len(feature.shape) == 3


def _is_text(feature: Any) -> bool:
    """Whether a feature holds texts. With a TextEncoder it holds numbers."""
    import tensorflow_datasets as tfds

    return isinstance(feature, tfds.features.Text) and feature.encoder is None


def _one(name: str, flag: str, wanted: str | None, found: list[str], supervised: set[str]) -> str:
    """The feature that a flag names; without the flag, the only one of at least one found."""
    kind = {'text_column': 'Text', 'label_column': 'ClassLabel'}[flag]
    if wanted is not None:
        if wanted in found:
            return wanted
        hint = f'it has {", ".join(found)}' if found else 'it has none; leave the flag out'
        raise LonghaulError(f'--{flag}={wanted}: tfds:{name} has no such {kind} feature; {hint}')
    several = f'--{flag} is missing: tfds:{name} has several {kind} features; name one of: '
    return _only(found, supervised, several + ', '.join(found))


def _only(found: list[str], supervised: set[str], refusal: str) -> str:
    """The only feature of at least one found, or the only one of them in the supervised keys."""
    candidates = [k for k in found if k in supervised] or found
    if len(candidates) > 1:
        raise LonghaulError(refusal)
    return candidates[0]


def _names(features: Any, label: str | None) -> tuple[str, ...] | None:
    if label is None or features[label].num_classes is None:
        return None
    return tuple(features[label].names)
