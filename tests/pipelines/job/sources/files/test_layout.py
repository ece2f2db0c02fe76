"""Where the classes of each split are, in folders and zips."""

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
    'below': ('a/train/1 a/test/1 b/train/1', 'a holds test, train: splits stand above the'),
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


def test_the_last_lines_say_what_was_taken_for_what(tmp_path, capsys):
    files = picture_files(20, 'data/Training/') | picture_files(6, 'data/Testing/')
    files |= {'data/Training/cat/Thumbs.db': b'x', 'data/notes.md': b'x', 'data/.x': b''}
    path = source_data.write_zip(tmp_path / 'in.zip', files)
    assert run_job(f'--source=images:{path}', f'--output={tmp_path / "out"}', *IMAGE_FLAGS) == 0
    out = capsys.readouterr().out
    assert '  read as splits: train from data/Training/, test from data/Testing/\n' in out
    assert '  not read: notes.md\n' in out
    assert '  passed over, left by systems: 2 files, as data/Training/cat/Thumbs.db\n' in out
