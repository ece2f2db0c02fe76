"""Which features of a TFDS data set are read, and what is refused before any download."""

import types

import numpy as np
import pytest
import tensorflow_datasets as tfds

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.tfds.features import Choice, choose

IMAGE, TEXT = tfds.features.Image(), tfds.features.Text()
GRAY = tfds.features.Image(shape=(28, 28, 1))
LABEL = tfds.features.ClassLabel(names=['b', 'a'])
DEPTH = tfds.features.Image(shape=(8, 8, 1), dtype=np.float32)


def info(features, supervised=None):
    if isinstance(features, dict):
        features = tfds.features.FeaturesDict(features)
    return types.SimpleNamespace(features=features, supervised_keys=supervised)


@pytest.mark.parametrize(
    ('features', 'supervised', 'flags', 'expected'),
    [
        pytest.param(
            {'image': GRAY, 'label': LABEL},
            None,
            {},
            Choice('image', 'image', 'label', 1, 28, ('b', 'a')),
            id='gray',
        ),
        pytest.param(
            {'image': IMAGE, 'name': TEXT, 'depth': DEPTH, 'boxes': {'box': IMAGE}},
            None,
            {},
            Choice('image', 'image', None, 3, None, None),
            id='image-before-text',
        ),
        pytest.param(
            {'image': tfds.features.Image(shape=(28, 14, 4))},
            None,
            {},
            Choice('image', 'image', None, 3, None, None),
            id='not-square',
        ),
        pytest.param(
            {'image': IMAGE, 'caption': TEXT, 'label': LABEL},
            None,
            {'text_column': 'caption'},
            Choice('text', 'caption', 'label', 1, None, ('b', 'a')),
            id='text-asked-for',
        ),
        pytest.param(
            {'a': TEXT, 'b': TEXT, 'coarse': LABEL, 'fine': LABEL},
            ('b', 'fine'),
            {},
            Choice('text', 'b', 'fine', 1, None, ('b', 'a')),
            id='supervised',
        ),
        pytest.param(
            {'a': TEXT, 'b': TEXT, 'coarse': LABEL, 'fine': LABEL},
            ('b', 'fine'),
            {'text_column': 'a', 'label_column': 'coarse'},
            Choice('text', 'a', 'coarse', 1, None, ('b', 'a')),
            id='asked-for-before-supervised',
        ),
        pytest.param(
            {'text': TEXT, 'label': tfds.features.ClassLabel()},
            None,
            {},
            Choice('text', 'text', 'label', 1, None, None),
            id='classes-without-names',
        ),
    ],
)
def test_choices(features, supervised, flags, expected):
    assert choose('some', info(features, supervised), **flags) == expected


@pytest.mark.parametrize(
    ('features', 'flags', 'expected'),
    [
        pytest.param(
            {'a': IMAGE, 'b': IMAGE},
            {},
            '--source=tfds:some: has several images (a, b), and does not say which of them is to ',
            id='images',
        ),
        pytest.param(
            {'a': TEXT, 'b': TEXT},
            {},
            '--text_column is missing: tfds:some has several Text features; name one of: a, b',
            id='texts',
        ),
        pytest.param(
            {'image': IMAGE, 'a': LABEL, 'b': LABEL},
            {},
            '--label_column is missing: tfds:some has several ClassLabel features; name one of: a,',
            id='labels',
        ),
        pytest.param(
            {'text': TEXT, 'label': LABEL},
            {'label_column': 'text'},
            '--label_column=text: tfds:some has no such ClassLabel feature; it has label',
            id='no-label',
        ),
        pytest.param(
            {'image': IMAGE},
            {'text_column': 'image'},
            '--text_column=image: tfds:some has no such Text feature; it has none; leave the flag',
            id='no-text',
        ),
        pytest.param(
            {'depth': DEPTH, 'n': np.int64, 'label': LABEL},
            {},
            '--source=tfds:some: neither an image of bytes (Image of uint8) nor a text is at the '
            'top level of its examples, which hold: depth (Image), n (Tensor), label (ClassLabel)',
            id='neither',
        ),
        pytest.param(
            TEXT, {}, '--source=tfds:some: neither an image of bytes (Image', id='no-dictionary'
        ),
    ],
)
def test_refusals(features, flags, expected):
    with pytest.raises(LonghaulError) as caught:
        choose('some', info(features), **flags)
    assert str(caught.value).startswith(expected)
