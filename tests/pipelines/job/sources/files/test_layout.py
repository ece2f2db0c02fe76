"""Where the classes of each split are, in folders and zips."""

import tracemalloc

import pytest
import source_data
from source_data import IMAGE_FLAGS, encode_image, picture_files, pixels, run_job

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.files.images import Images

PICTURE = encode_image(pixels(0))
# Files, and the items that they are: SPLIT/CLASS/NAME.
LAYOUTS = {
    'val': ('train/a/1 val/a/2 test/a/3', 'train/a/1 validation/a/2 test/a/3'),
    'capitals': ('Training/a/1 Testing/a/2 Valid/a/3', 'train/a/1 test/a/2 validation/a/3'),
    'wrapper': ('photos/a/1 photos/b/2', 'train/a/1 train/b/2'),
    'wrappers': ('x/y/a/1 x/y/b/2 x/y/b/c/3', 'train/a/1 train/b/2 train/b/c/3'),
    'wrapped-splits': ('data/TRAIN/a/1 data/dev/a/2', 'train/a/1 validation/a/2'),
    'wrapper-in-a-split': ('train/train/a/1 test/x/a/2 test/x/b/3', 'train/a/1 test/a/2 test/b/3'),
    'one-class': ('a/1 a/2', 'train/a/1 train/a/2'),
    'class-in-a-wrapper': ('photos/a/1', 'train/a/1'),
    'train-alone': ('train/a/1 train/b/2', 'train/a/1 train/b/2'),
    'classes-of-split-names': ('train/train/1 train/test/2', 'train/train/1 train/test/2'),
    'splits-and-their-strays-in-a-wrapper': (
        'x/train/a/1 x/train/b/2 x/test/a/3 x/stray',
        'train/a/1 train/b/2 test/a/3',
    ),
    'strays-above-splits': ('x/train/a/1 x/test/a/2 stray', 'train/a/1 test/a/2'),
    'strays-in-a-split': (
        'train/a/1 train/b/2 train/3 test/a/4',
        'train/a/1 train/b/2 train/3 test/a/4',
    ),
    'strays-in-a-wrapped-split': (
        'train/train/a/1 train/train/b/2 train/train/3 test/a/4',
        'train/a/1 train/b/2 train/3 test/a/4',
    ),
    'strays-beside-a-wrapped-split': (
        'train/train/a/1 train/train/b/2 train/3 test/a/4',
        'train/a/1 train/b/2 test/a/4',
    ),
    'classes-that-resemble-one-split': (
        'bullet_train/1 steam_train/2 car/3',
        'train/bullet_train/1 train/steam_train/2 train/car/3',
    ),
    'strays': ('photos/a/1 stray', 'train/photos/a/1 train/stray'),
    'clutter': (
        'photos/a/1 photos/b/2 photos/@eaDir/3 $RECYCLE.BIN/4 __MACOSX/photos/._1 photos/.b/5',
        'train/a/1 train/b/2',
    ),
}
UNCLEAR = {
    'split-and-class': ('train/1 car/1', 'holds train, which are names of splits, beside car: '),
    'two-of-one': ('train/a/1 val/a/1 dev/a/1', 'holds dev, train, val, one split more than once'),
    'no-train': ('test/a/1 val/a/1', 'holds test, val and no train; name a folder that holds'),
    'resembling': ('seg_train/a/1 seg_test/a/1', 'seg_test, seg_train could be splits or classes'),
    'resembling-beside-others': (
        'seg_train/a/1 seg_test/a/1 seg_pred/1',
        'seg_test, seg_train could be splits or classes',
    ),
    'wrapped-no-train': ('x/test/a/1', 'holds test and no train; name a folder that holds'),
    'another-split-in-a-split': (
        'train/a/1 validation/train/a/1',
        'validation/train/ is train in validation; put its classes directly into validation, or',
    ),
    'another-split-and-a-stray-in-a-split': (
        'train/a/1 validation/train/a/1 validation/2',
        'validation/train/ is train in validation; put its classes directly into validation, or',
    ),
    'below': ('a/train/1 a/test/1 b/train/1', 'a holds test, train: splits stand above the'),
    'below-beside-others': (
        'a/train/x/1 a/test/x/1 a/docs/x/1 b/c/1',
        'a holds test, train, which are names of splits, beside b; ',
    ),
}


def write(tmp_path, names, zipped):
    files = {f'{name}.png': PICTURE for name in names.split()}
    if zipped:
        return source_data.write_zip(tmp_path / 'in.zip', files)
    return source_data.write_folder(tmp_path / 'in', files)


@pytest.mark.parametrize('zipped', [False, True], ids=['folder', 'zip'])
@pytest.mark.parametrize('layout', LAYOUTS)
def test_layouts(tmp_path, layout, zipped):
    names, expected = LAYOUTS[layout]
    source = Images(str(write(tmp_path, names, zipped)))
    items = [(group, item) for group in source.groups() for item in source.items(group)]
    assert sorted(i.id for _, i in items) == sorted(f'{n}.png' for n in expected.split())
    for group, item in items:
        assert item.label == (item.id.split('/')[1] if item.id.count('/') > 1 else None)
        (payload,) = source.read(group.path, [item])
        assert payload.content == PICTURE


@pytest.mark.parametrize('zipped', [False, True], ids=['folder', 'zip'])
@pytest.mark.parametrize('layout', UNCLEAR)
def test_what_it_cannot_tell_is_refused_by_name(tmp_path, layout, zipped):
    names, expected = UNCLEAR[layout]
    path = write(tmp_path, names, zipped)
    with pytest.raises(LonghaulError) as caught:
        Images(str(path)).groups()
    assert str(caught.value).startswith(f'--source=images:{path}: {expected}')


def test_a_zip_of_a_split_is_seen_through_its_own_folder(tmp_path):
    """As `zip -r train.zip train` writes it."""
    for split, classes in (('train', 'ab'), ('validation', 'a')):
        files = {f'{split}/{name}/1.png': PICTURE for name in classes} | {f'{split}/2.png': PICTURE}
        source_data.write_zip(tmp_path / f'{split}.zip', files)
    source = Images(str(tmp_path))
    items = [item for group in source.groups() for item in source.items(group)]
    expected = 'train/2.png train/a/1.png train/b/1.png validation/2.png validation/a/1.png'
    assert sorted(item.id for item in items) == expected.split()
    assert source.told()[0] == (
        'read as splits: train from train.zip/train/, validation from validation.zip/validation/'
    )


def test_a_folder_around_zips_of_splits_is_seen_through(tmp_path):
    for split in ('train', 'test'):
        source_data.write_zip(tmp_path / 'x' / f'{split}.zip', {'a/1.png': PICTURE})
    source = Images(str(tmp_path))
    items = [item for group in source.groups() for item in source.items(group)]
    assert [item.id for item in items] == ['train/a/1.png', 'test/a/1.png']
    assert source.told() == ['read as splits: train from x/train.zip, test from x/test.zip']


def test_a_zip_of_a_split_that_holds_another_one_is_refused(tmp_path):
    source_data.write_zip(tmp_path / 'train.zip', {'train/a/1.png': PICTURE})
    source_data.write_zip(tmp_path / 'test.zip', {'val/a/1.png': PICTURE})
    with pytest.raises(LonghaulError, match=r'test.zip/val/ is validation in test; put its'):
        Images(str(tmp_path)).groups()


def test_strays_beside_splits_are_said(tmp_path):
    names = 'x/train/a/1 x/test/a/2 x/stray top'
    assert Images(str(write(tmp_path, names, False))).told() == [
        'read as splits: train from x/train/, test from x/test/',
        'not read: top.png, stray.png',
    ]


def test_what_lies_beside_classes_and_is_no_item_is_said(tmp_path):
    path = write(tmp_path, 'a/1 b/1 2', False)
    source_data.write_folder(path, {'README.md': b'x', 'more.zip': b'x'})
    assert Images(str(path)).told() == ['not read: README.md, more.zip']


def test_zips_that_resemble_splits_are_refused(tmp_path):
    source_data.write_folder(tmp_path, {'seg_train.zip': b'x', 'seg_test.zip': b'x'})
    with pytest.raises(LonghaulError, match=r'seg_test.zip, seg_train.zip could be splits'):
        Images(str(tmp_path)).groups()


def test_the_folder_of_the_splits_is_advised(tmp_path):
    path = write(tmp_path, 'a/train/x/1 a/test/x/1 b/c/1', False)
    with pytest.raises(LonghaulError, match=f'name {path}/a itself'):
        Images(str(path)).groups()


def test_a_zip_with_long_names_takes_little_memory(tmp_path):
    deep = 'a/' * 30_000 + '1.png'
    path = tmp_path / 'in.zip'
    long = {f'{i:02}{"b" * 600}/' * 99 + '1.png': PICTURE for i in range(4)}
    source_data.write_zip(path, {deep: PICTURE, 'a/1.png': PICTURE, **long})
    tracemalloc.start()
    try:
        source = Images(str(path))
        (group,) = source.groups()
        items = {item.id: item for item in source.items(group)}
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
    (verdict,) = source.read(group.path, [items[f'train/{deep}']])
    assert verdict.reason == 'its name has more than 100 folders'
    assert items[f'train/{deep}'].label is None


def test_the_last_lines_say_what_was_taken_for_what(tmp_path, capsys):
    files = picture_files(20, 'data/Training/') | picture_files(6, 'data/Testing/')
    files |= {'data/Training/cat/Thumbs.db': b'x', 'data/notes.md': b'x', 'data/.x': b''}
    path = source_data.write_zip(tmp_path / 'in.zip', files)
    assert run_job(f'--source=images:{path}', f'--output={tmp_path / "out"}', *IMAGE_FLAGS) == 0
    out = capsys.readouterr().out
    assert '  read as splits: train from data/Training/, test from data/Testing/\n' in out
    assert '  not read: notes.md\n' in out
    assert '  passed over, left by systems: 2 files, as data/Training/cat/Thumbs.db\n' in out
