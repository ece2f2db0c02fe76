"""Trailing steps: the very numbers of the noise, and what an item without an id gets."""

import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from source_data import encode_image, pixels

from pipelines.format import sequences
from pipelines.format.anchors import id_hash
from pipelines.format.errors import LonghaulError
from pipelines.format.pixels import pictures_of
from pipelines.format.spec import SequenceSpec, character_spec, signal_spec, text_spec
from pipelines.format.trailing import tail_of_served, tails

SPECS = {
    'image': SequenceSpec('image', image_size=4, channels=3),
    'bytes': text_spec(max_steps=5),
    'characters': character_spec(max_steps=5).with_vocabulary('abcdefghi'),
    'float16': signal_spec(dtype='float16', channels=2),
    'uint8': signal_spec(dtype='uint8', channels=3),
}
HASHES = np.array([id_hash('cat/1.png'), id_hash('')], np.uint64)


def with_tail(spec, steps=4, *, seed=7):
    return dataclasses.replace(spec, trailing_steps=steps, trailing='noise', trailing_seed=seed)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        (
            'image',
            [
                [[101, 148, 72], [52, 9, 232], [219, 93, 54], [84, 147, 109]],
                [[241, 140, 199], [130, 82, 224], [192, 2, 242], [45, 65, 94]],
            ],
        ),
        ('bytes', [[101, 52, 219, 84], [241, 130, 192, 45]]),
        ('characters', [[3, 2, 8, 3], [9, 5, 7, 1]]),
        (
            'float16',
            [
                [[-427, 321], [-1207, -1899], [1467, -549], [-695, 317]],
                [[1819, 201], [41, -733], [1039, -2009], [-1323, -1003]],
            ],
        ),
    ],
)
def test_golden_noise(name, expected):
    """These integers must never change: records and exported models hold them."""
    found = tails(with_tail(SPECS[name]), HASHES)
    assert found.dtype == SPECS[name].dtype
    scale = 2048 if name == 'float16' else 1
    assert (found.astype(np.float64) * scale).tolist() == expected


@pytest.mark.parametrize('name', SPECS)
def test_noise_is_uniform_over_all_values(name):
    """Every value as often as the others, by the chi-squared statistic."""
    found = tails(with_tail(SPECS[name], 20_000), HASHES[:1]).astype(np.float64)
    values = (found * 2048 + 2047) / 2 if name == 'float16' else found
    count = {'characters': 10, 'float16': 2048}.get(name, 256)
    observed = np.bincount(values.astype(int).reshape(-1), minlength=count)
    assert len(observed) == count
    expected = values.size / count
    statistic = ((observed - expected) ** 2 / expected).sum()
    # Five standard deviations of the distribution with count - 1 degrees of freedom.
    assert abs(statistic - (count - 1)) < 5 * (2 * (count - 1)) ** 0.5


def test_noise_follows_seed_id_step_and_channel():
    spec = SPECS['uint8']
    found = tails(with_tail(spec, 100), HASHES)
    other = tails(with_tail(spec, 100, seed=8), HASHES)
    pairs = (
        (found, other),
        (found[0], found[1]),
        (found[:, 1:], found[:, :-1]),
        (found[..., 1:], found[..., :-1]),
    )
    for one, two in pairs:
        assert (one == two).mean() < 0.05
    np.testing.assert_array_equal(tails(with_tail(spec, 30), HASHES), found[:, :30])


def item(name: str) -> bytes:
    if name == 'image':
        return encode_image(pixels(0))
    if name in ('bytes', 'characters'):
        return b'abcdefghij'
    file = io.BytesIO()
    np.save(file, np.ones([6, SPECS[name].channels], SPECS[name].dtype))
    return file.getvalue()


@pytest.mark.parametrize('trailing', ['blank', 'noise'])
@pytest.mark.parametrize('name', SPECS)
def test_decode_appends_the_steps_of_the_empty_id(name, trailing):
    spec = with_tail(SPECS[name])
    if trailing == 'blank':
        spec = dataclasses.replace(spec, trailing=trailing, trailing_seed=None)
    own = sequences.decode(tf.constant(item(name)), SPECS[name]).numpy()
    found = sequences.decode(tf.constant(item(name)), spec).numpy()
    expected = tails(spec, HASHES)[1]
    assert expected.any() == (trailing == 'noise')
    assert found.dtype == own.dtype
    np.testing.assert_array_equal(found, np.concatenate([own, expected]))
    np.testing.assert_array_equal(tail_of_served(spec), expected)
    assert spec.fixed_length == (20 if name == 'image' else None)
    assert spec.most_steps == {'image': 20, 'bytes': 9, 'characters': 9}.get(name)


@pytest.mark.parametrize('name', ['bytes', 'characters'])
def test_nothing_stays_nothing(name):
    assert sequences.decode(tf.constant(b''), with_tail(SPECS[name])).shape == [0]


@pytest.mark.parametrize('steps_per_pixel', [1, 3])
def test_pictures_are_without_trailing_steps(steps_per_pixel):
    spec = SequenceSpec(
        'image',
        image_size=2,
        channels=3 // steps_per_pixel,
        steps_per_pixel=steps_per_pixel,
        permutation=(2, 0, 3, 1),
    )
    picture = pixels(0, 2, 2)
    found = sequences.decode(tf.constant(encode_image(picture)), with_tail(spec, 9)).numpy()
    assert len(found) == 4 * steps_per_pixel + 9
    np.testing.assert_array_equal(pictures_of(found, with_tail(spec, 9)), picture)


def test_the_static_shape_holds_them():
    spec = with_tail(SPECS['image'])
    function = tf.function(
        lambda data: sequences.decode(data, spec), input_signature=[tf.TensorSpec([], tf.string)]
    )
    assert function.get_concrete_function().structured_outputs.shape == [20, 3]


@pytest.mark.parametrize('name', SPECS)
def test_a_spec_without_them_says_nothing_of_them(name):
    """So that trainers of before read such records."""
    assert not [key for key in SPECS[name].to_json() if key.startswith('trailing')]
    spec = with_tail(SPECS[name], seed=0)
    assert SequenceSpec.from_json(spec.to_json()) == spec
    assert spec.without_trailing() == SPECS[name]
    blank = dataclasses.replace(SPECS[name], trailing_steps=3)
    assert SequenceSpec.from_json(blank.to_json()) == blank


@pytest.mark.parametrize(
    'wrong',
    [
        {'trailing_steps': -1},
        {'trailing_steps': 3, 'trailing': 'noise'},
        {'trailing_steps': 3, 'trailing_seed': 0},
        {'trailing_steps': 3, 'trailing': 'music'},
    ],
    ids=str,
)
def test_a_spec_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(LonghaulError, match='SequenceSpec.trailing'):
        SequenceSpec.from_json(SPECS['image'].to_json() | wrong)
