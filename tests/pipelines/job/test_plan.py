"""Options and a source -> what the workers are told."""

import pickle

import numpy as np
import pytest
import source_data

from pipelines.format.anchors import id_hash
from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from pipelines.job.items import Group
from pipelines.job.plan import make_plan
from pipelines.options import JobOptions


@pytest.fixture
def table(tmp_path):
    return f'csv:{source_data.write_csv(tmp_path / "t.csv", source_data.documents())}'


@pytest.fixture
def mnist(tmp_path):
    return f'idx:{source_data.write_idx(tmp_path / "mnist")}'


def plan(source='builtin:digits', **options):
    return make_plan(JobOptions(source=source, output='/nowhere', **options))


def splits(plan, count=5000):
    return np.array(plan.splits_of(['train'] * count, [id_hash(str(i)) for i in range(count)]))


@pytest.mark.parametrize('share', [0.0, 0.1, 0.5, 1.0])
def test_validation_share(mnist, share):
    found = splits(plan(mnist, auxiliary_steps=4, validation_share=share)) == 'validation'
    # Four standard deviations of 5,000 draws; none at the ends.
    assert abs(found.mean() - share) <= 4 * (share * (1 - share) / 5000) ** 0.5


def test_a_larger_share_keeps_what_a_smaller_one_took(table):
    small, large = (splits(plan(table, validation_share=s)) for s in (0.1, 0.3))
    assert set(np.flatnonzero(small == 'validation')) < set(np.flatnonzero(large == 'validation'))


def test_test_share_and_validation_share_are_independent(table):
    found = splits(plan(table, validation_share=0.2, test_share=0.3))
    assert abs((found == 'test').mean() - 0.3) < 0.03
    assert abs((found == 'validation').mean() - 0.7 * 0.2) < 0.02
    without = splits(plan(table, validation_share=0.2))
    assert set(without[found == 'train']) == {'train'}


def test_splits_follow_the_seed(table):
    a, b = (splits(plan(table, seed=s, validation_share=0.5)) for s in (0, 1))
    assert 0.45 < (a == b).mean() < 0.55


def test_golden_splits():
    """These items must stay where they are, or old and new records leak into each other."""
    found = splits(plan(validation_share=0.1), 300)
    assert np.flatnonzero(found == 'test')[:8].tolist() == [2, 5, 9, 16, 26, 27, 28, 30]
    assert np.flatnonzero(found == 'validation')[:8].tolist() == [0, 3, 32, 47, 59, 69, 70, 78]


def test_the_own_test_split_stays(mnist):
    found = plan(mnist, auxiliary_steps=4, validation_share=1.0)
    hashes = [id_hash(str(i)) for i in range(100)]
    assert set(found.splits_of(['test'] * 100, hashes)) == {'test'}


@pytest.mark.parametrize('share', [0.0, 0.5])
def test_an_own_validation_split_stays(mnist, monkeypatch, capsys, share):
    groups = [Group(split, split) for split in ('train', 'validation')]
    monkeypatch.setattr('pipelines.job.sources.files.idx.Idx.groups', lambda _: groups)
    found = plan(mnist, auxiliary_steps=4, validation_share=share, test_share=0.3)
    assert found.splits == ('train', 'validation', 'test')
    hashes = [id_hash(str(i)) for i in range(100)]
    assert set(found.splits_of(['validation'] * 100, hashes)) == {'validation'}
    assert set(splits(found)) == {'train', 'test'}
    assert capsys.readouterr().err == (
        f'note: {mnist} has a validation split of its own; --validation_share is not used\n'
    )


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({}, ('train', 'validation')),
        ({'validation_share': 0}, ('train',)),
        ({'test_share': 0.1}, ('train', 'validation', 'test')),
        ({'test_share': 0.1, 'validation_share': 0.0}, ('train', 'test')),
    ],
    ids=str,
)
def test_splits_that_are_written(table, options, expected):
    assert plan(table, **options).splits == expected


def test_digits_get_a_test_split():
    assert plan().test_share == 0.2
    assert plan(test_share=0.0).test_share == 0.0


@pytest.mark.parametrize(
    ('options', 'expected'),
    [({}, 16), ({'image_size': 30}, 600), ({'image_size': 24}, 144), ({'auxiliary_steps': 63}, 63)],
    ids=str,
)
def test_auxiliary_steps_of_images(options, expected, capsys):
    assert plan(**options).auxiliary_steps == expected
    note = f'anchors are stored for --auxiliary_steps={expected}\n'
    assert capsys.readouterr().err.endswith(note) == (expected in (16, 144))


def test_auxiliary_steps_of_documents(table):
    assert plan(table).auxiliary_steps == 600


def test_a_permutation_is_a_function_of_its_seed():
    a, b, other = (plan(permutation_seed=s).spec for s in (4, 4, 5))
    assert a == b
    assert sorted(a.permutation) == list(range(64))
    assert a.permutation != other.permutation
    assert a.permutation[:8] == (34, 25, 50, 8, 13, 44, 7, 58)
    assert plan(permutation_seed=4, seed=9).spec == a
    assert plan().spec.permutation is None


def test_the_records_say_how_jpegs_were_decoded(table):
    """Records of older jobs say nothing, and keep their transform in a model."""
    said = plan().spec.to_json()
    assert said.pop('jpeg') == plan().spec.jpeg == 'accurate'
    assert SequenceSpec.from_json(said).jpeg == 'fast'
    assert 'jpeg' not in plan(table).spec.to_json()


def test_shards_by_size(monkeypatch):
    estimate = 'pipelines.job.sources.builtin.digits.Digits.estimated_items'
    assert plan().shards == 1
    monkeypatch.setattr(estimate, lambda _: 3 << 20)
    # 3 * 2**20 items of 64 bytes are three times 64 MiB.
    assert plan().shards == 3
    assert plan(channels=3).shards == 9
    assert plan(shards=2).shards == 2
    monkeypatch.setattr(estimate, lambda _: 1 << 60)
    assert plan().shards == 1024


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({'image_size': 1}, '--image_size=1: a sequence of one step has nothing to reconstruct'),
        ({'image_size': 11586}, '--image_size=11586: sides up to 11585 are known, since no image'),
        ({'auxiliary_steps': 64}, '--auxiliary_steps=64: the images have 64 steps; fewer than 64'),
        ({'max_steps': 9}, '--max_steps=9: images have all their pixels; leave it out'),
    ],
    ids=['one-pixel', 'too-many-pixels', 'auxiliary-steps', 'max-steps'],
)
def test_refuses_what_does_not_fit_images(options, expected):
    with pytest.raises(LonghaulError) as caught:
        plan(**options)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize('name', ['image_size', 'channels', 'permutation_seed'])
def test_refuses_flags_of_images_for_text(table, name):
    with pytest.raises(LonghaulError) as caught:
        plan(table, **{name: 3})
    assert str(caught.value) == f'--{name}=3: {table} holds text; leave it out'


@pytest.mark.parametrize('size', [1, None, 65535])
def test_characters_wait_for_their_vocabulary(table, size):
    found = plan(table, tokens='characters', vocabulary_size=size, max_steps=9)
    assert (found.spec.tokens, found.spec.dtype, found.spec.max_steps) == (
        'characters',
        'uint16',
        9,
    )
    assert found.spec.vocabulary is None
    assert found.vocabulary_size == (size or 1000)
    spec = found.resolved('ab').spec
    assert (spec.vocabulary, spec.vocabulary_size, spec.max_steps) == ('ab', 3, 9)


@pytest.mark.parametrize('tokens', [None, 'bytes'])
def test_bytes_have_no_vocabulary(table, tokens):
    found = plan(table, tokens=tokens)
    assert (found.spec.tokens, found.vocabulary_size) == ('bytes', None)
    assert found.resolved(None) == found
    with pytest.raises(LonghaulError) as caught:
        plan(table, tokens=tokens, vocabulary_size=9)
    assert str(caught.value).startswith('--vocabulary_size=9: a step is a byte, and there are 256')


@pytest.mark.parametrize('options', [{'tokens': 'bytes'}, {'tokens': 'characters'}], ids=str)
def test_refuses_tokens_for_images(options):
    with pytest.raises(LonghaulError) as caught:
        plan(**options)
    expected = f'--tokens={options["tokens"]}: builtin:digits holds images; leave it out'
    assert str(caught.value) == expected


def test_refuses_a_vocabulary_for_images():
    with pytest.raises(LonghaulError, match='^--vocabulary_size=9: builtin:digits holds images'):
        plan(vocabulary_size=9)


def test_refuses_a_second_test_split(mnist):
    with pytest.raises(LonghaulError, match='^--test_share=0.2: idx:.* has a test split of its'):
        plan(mnist, test_share=0.2)


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        (None, 'cannot be read ([Errno 2] No such file'),
        (b'\xff\xfe', 'cannot be read ('),
        (b'a\nb\na\n', 'a name occurs twice; names must differ'),
    ],
    ids=['missing', 'no-text', 'twice'],
)
def test_refuses_class_names(table, tmp_path, data, expected):
    path = tmp_path / 'names.txt'
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(LonghaulError) as caught:
        plan(table, class_names=str(path))
    assert str(caught.value).startswith(f'--class_names={path}: {expected}')


def test_travels_to_workers(table):
    found = plan(table)
    assert pickle.loads(pickle.dumps(found)) == found
