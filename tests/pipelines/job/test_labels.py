"""Labels as they stand in the source -> class names and numbers."""

import pytest

from pipelines.format.errors import LonghaulError
from pipelines.job.labels import resolve


def pairs(*labels, split='train'):
    return [(split, label) for label in labels]


@pytest.mark.parametrize(
    ('found', 'names'),
    [
        pytest.param(['dog', 'cat'], ('cat', 'dog'), id='by-name'),
        pytest.param(['10', '9', '1'], ('1', '9', '10'), id='integers-by-value'),
        pytest.param(['2', '-1', '0'], ('-1', '0', '2'), id='negative'),
        pytest.param(['10', '9', 'x'], ('10', '9', 'x'), id='one-is-no-integer'),
        pytest.param(['1', '01'], ('01', '1'), id='same-value'),
        pytest.param(['2', '1' * 5000], ('1' * 5000, '2'), id='no-number-of-python'),
        pytest.param([], (), id='none'),
    ],
)
def test_orders_the_classes(found, names):
    for order in (found, found[::-1]):
        labels = resolve(pairs(*order), None)
        assert labels.names == names
        assert labels.numbers == {name: i for i, name in enumerate(names)}


def test_whole_numbers_with_a_point_are_those_without():
    """pandas writes them so beside a missing label."""
    labels = resolve(pairs('10.0', '2.0', '2') + pairs('2.00', split='test'), None)
    assert labels.names == ('2', '10')
    found = {'2': 0, '2.0': 0, '2.00': 0, '10': 1, '10.0': 1}
    assert labels.numbers == found
    assert resolve(pairs('1.0', '2.0'), ('a', 'b')).numbers == {'1': 0, '1.0': 0, '2': 1, '2.0': 1}
    for other in ('1.5', 'x', '1.'):
        assert resolve(pairs('1.0', other), None).names == tuple(sorted(['1.0', other]))
    assert resolve(pairs('1.0'), ('1.0', '2.0')).numbers == {'1.0': 0, '2.0': 1}


def test_validation_counts_as_training():
    labels = resolve(pairs('a', split='validation') + pairs('a', 'b', split='train'), None)
    assert labels.names == ('a', 'b')


@pytest.mark.parametrize('names', [None, ('a', 'b', 'c')], ids=['found', 'given'])
def test_labels_of_the_test_split_alone_are_refused(names):
    found = pairs('a', 'b') + pairs('a', 'c', split='test')
    with pytest.raises(LonghaulError, match='^labels that occur in the test split alone: c; '):
        resolve(found, names)


def test_a_source_without_training_labels_may_have_tested_ones():
    assert resolve(pairs('a', split='test'), None).names == ('a',)


@pytest.mark.parametrize(
    ('found', 'expected'),
    [
        pytest.param(['b', 'a'], {'a': 0, 'b': 1, 'c': 2}, id='names'),
        pytest.param(['b', 'z'], {'a': 0, 'b': 1, 'c': 2}, id='one-is-none-of-them'),
        pytest.param(['0', '2'], {'0': 0, '1': 1, '2': 2}, id='from-zero'),
        pytest.param(['1', '3'], {'1': 0, '2': 1, '3': 2}, id='from-one'),
        pytest.param(['0', '7'], {'0': 0, '1': 1, '2': 2}, id='from-zero-and-beyond'),
        pytest.param([], {'a': 0, 'b': 1, 'c': 2}, id='no-labels'),
    ],
)
def test_given_names(found, expected):
    labels = resolve(pairs(*found), ('a', 'b', 'c'))
    assert labels.names == ('a', 'b', 'c')
    assert labels.numbers == expected


def test_names_that_are_integers_are_names():
    assert resolve(pairs('1', '2'), ('2', '1')).numbers == {'2': 0, '1': 1}


@pytest.mark.parametrize('found', [['1', '2'], ['0', '3']], ids=['neither-end', 'both-ends'])
def test_integers_that_could_mean_either_are_refused(found):
    shown = ', '.join(found)
    with pytest.raises(LonghaulError, match=f'^--class_names: 3 names; the labels {shown} could'):
        resolve(pairs(*found), ('a', 'b', 'c'))


def test_names_that_do_not_occur_are_refused():
    with pytest.raises(LonghaulError) as caught:
        resolve(pairs('x', 'y'), ('a', 'b', 'c'))
    message = str(caught.value)
    assert message.startswith('--class_names: none of the 3 names occurs as a label; found: x, y.')
    assert '0..2 or 1..3' in message


def test_many_labels_are_not_all_listed():
    with pytest.raises(LonghaulError, match=r'l0, l1, .*, l9 and 3 more\.'):
        resolve(pairs(*[f'l{i}' for i in range(10)], 'l91', 'l92', 'l93'), ('a',))
