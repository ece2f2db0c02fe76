"""What names mean a split, and which tables of a folder are splits."""

import pytest

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.clutter import is_clutter
from pipelines.job.sources.splits import find_tables, resembled, split_named

SUFFIXES = ('.csv', '.csv.gz')


@pytest.mark.parametrize(
    ('split', 'names'),
    [
        ('train', 'train Train TRAIN Training training_set trainset train2017 train-images'),
        ('validation', 'validation valid val Val dev DEV dev_set Validation-Data'),
        ('test', 'test Test Testing TESTING test_set testset test2015'),
        (None, 'cat eval trains testament seg_train train_test holdout data set 1'),
    ],
)
def test_names(split, names):
    assert {name: split_named(name) for name in names.split()} == dict.fromkeys(
        names.split(), split
    )
    assert split_named(None) is split_named(3) is split_named('') is None


def test_what_resembles_a_split():
    names = ('seg_train', 'test', 'attest', 'dog_val', 'Hotdog', 'train_dev')
    assert {name: found for name in names if (found := resembled(name))} == {
        'seg_train': {'train'},
        'test': {'test'},
        'dog_val': {'validation'},
        'train_dev': {'train', 'validation'},
    }


def test_clutter():
    names = '@eaDir/1.png $RECYCLE.BIN/1.png cat/Thumbs.db Desktop.ini __MACOSX/a .DS_Store a/.b/c'
    assert all(map(is_clutter, names.split()))
    assert not any(map(is_clutter, ('cat/1.png', '../a', './a', 'thumbs.db.png', '$recycle')))


def test_tables_of_splits():
    names = ['val.csv', 'Train.CSV', 'TEST.csv.gz', 'README.md', '._dev.csv', 'train.txt']
    found = find_tables('csv:x', names, SUFFIXES)
    assert found == [('Train.CSV', 'train'), ('val.csv', 'validation'), ('TEST.csv.gz', 'test')]


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        ('train.csv train.csv.gz test.csv', 'holds train.csv, train.csv.gz, test.csv, one split'),
        ('train.csv val.csv dev.csv', 'holds train.csv, dev.csv, val.csv, one split more than'),
        ('train.csv holdout.csv', 'holds holdout.csv beside train.csv, which says no split'),
        ('train.csv val.jsonl', 'holds val.jsonl beside train.csv, which says no split that is'),
    ],
)
def test_tables_that_it_cannot_tell(names, expected):
    with pytest.raises(LonghaulError) as caught:
        find_tables('csv:x', names.split(), SUFFIXES, ('.jsonl',))
    assert str(caught.value).startswith(f'--source=csv:x: {expected}')
