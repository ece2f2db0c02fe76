"""--labels=N: so many training items keep theirs, in whatever order and files they come."""

import pytest
from source_data import (
    IMAGE_FLAGS,
    by_id,
    contents,
    description,
    documents,
    picture_files,
    refusal,
    run_job,
    write_csv,
    write_folder,
)

from pipelines.format.anchors import id_hash, mix
from pipelines.job import graph
from pipelines.job.few_labels import SmallestKeys, key_of
from pipelines.job.items import Hashed, Item
from tools.verify import __main__ as verify

FLAGS = (*IMAGE_FLAGS, '--validation_share=0.3', '--test_share=0.2', '--seed=4')


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """30 in two classes, five without one."""
    files = picture_files(30)
    bare = {f'{i}.png': data for i, data in enumerate(list(files.values())[:5])}
    return write_folder(tmp_path_factory.mktemp('pictures'), files | bare)


def job(pictures, output, *flags):
    assert run_job(f'--source=images:{pictures}', f'--output={output}', *FLAGS, *flags) == 0
    return output


@pytest.fixture(scope='module')
def whole(pictures, tmp_path_factory):
    return job(pictures, tmp_path_factory.mktemp('whole') / 'records')


def labelled(folder):
    return {name for name, example in by_id(folder, 'train').items() if example.label >= 0}


def test_keys_are_those_of_the_format():
    """Golden: other labels would be kept by another version of the program."""
    assert [key_of(id_hash(name), 4) % 1000 for name in 'abc'] == [705, 857, 26]
    assert key_of(id_hash('a'), 4) == int(mix(4, 41, id_hash('a'))) // 2


@pytest.mark.parametrize('count', [1, 6])
def test_so_many_keep_theirs_and_nothing_else_changes(pictures, whole, tmp_path, count):
    folder = job(pictures, tmp_path / 'few', f'--labels={count}')
    kept, before = labelled(folder), by_id(whole)
    assert kept == set(sorted(labelled(whole), key=lambda name: key_of(id_hash(name), 4))[:count])
    train = by_id(whole, 'train').keys()
    for name, example in by_id(folder).items():
        hidden = name in train and name not in kept
        assert example == (before[name]._replace(label=-1) if hidden else before[name])
    assert by_id(folder).keys() == before.keys()
    found, old = description(folder), description(whole)
    assert found['options'] == old['options'] | {'labels': count}
    assert found['class_names'] == old['class_names'] == ['cat', 'dog']
    assert found['counts']['classes']['test'] == old['counts']['classes']['test']
    classes = found['counts']['classes']['train']
    assert (classes['cat'] + classes['dog'], classes['']) == (count, len(train) - count)
    assert verify.main([str(folder)]) == 0


def test_without_it_nothing_is_written_down(whole):
    assert 'labels' not in description(whole)['options']


def test_more_than_there_are_keep_all(pictures, whole, tmp_path):
    assert by_id(job(pictures, tmp_path / 'all', '--labels=1000')) == by_id(whole)


def test_order_and_shards_do_not_matter(pictures, tmp_path, monkeypatch):
    folder = job(pictures, tmp_path / 'one', '--labels=6', '--shards=1')
    assert by_id(job(pictures, tmp_path / 'five', '--labels=6', '--shards=5')) == by_id(folder)
    original = graph._listed
    monkeypatch.setattr(graph, '_listed', lambda *a: reversed(list(original(*a))))
    again = job(pictures, tmp_path / 'again', '--labels=6', '--shards=1')
    assert contents(again) == contents(folder)


def test_of_what_a_limit_leaves(pictures, tmp_path):
    folder = job(pictures, tmp_path / 'few', '--labels=3', '--limit=8')
    assert len(by_id(folder, 'train')) == 8
    assert len(labelled(folder)) == 3


def test_characters_are_counted_as_ever(tmp_path):
    table = write_csv(tmp_path / 'a.csv', documents())
    flags = (f'--source=csv:{table}', '--tokens=characters', '--segment_steps=6')
    for name, more in (('all', ()), ('few', ('--labels=4',))):
        assert run_job(*flags, *more, f'--output={tmp_path / name}') == 0
    few, every = description(tmp_path / 'few'), description(tmp_path / 'all')
    assert few['spec'] == every['spec']
    assert len(labelled(tmp_path / 'few')) == 4


def test_many_items_leave_few_keys():
    class Plan:
        class options:  # noqa: N801
            labels, seed = 3, 0

    keys = SmallestKeys(Plan)
    numbers = range(5000)
    for n in numbers:
        keys.add('train', Hashed(n, Item(str(n), 'train', 'a', '', '')))
        keys.add('test', Hashed(n + 5000, Item(str(n), 'test', 'a', '', '')))
        keys.add('train', Hashed(n + 10000, Item(str(n), 'train', None, '', '')))
        assert len(keys._keys) <= 1007
    assert keys.smallest() == sorted(key_of(n, 0) for n in numbers)[:3]


def test_a_source_without_labels_is_refused(tmp_path, capsys):
    rows = [['text'], *([text] for _, text in documents(9)[1:])]
    source = f'--source=csv:{write_csv(tmp_path / "a.csv", rows)}'
    said = refusal(capsys, source, f'--output={tmp_path / "out"}', '--labels=2')
    assert said == (
        f'--labels=2: no training item of csv:{tmp_path}/a.csv has a label; leave it out, or name '
        'a source with labels'
    )
