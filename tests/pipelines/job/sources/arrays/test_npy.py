"""npy: arrays of every type, with their labels and splits, and what is refused or rejected."""

import io
import json
import os

import numpy as np
import pytest
import source_data
from source_data import refusal, rejected, run_job

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.plan import make_plan
from pipelines.job.sources.arrays.npy import make_npy
from pipelines.options import JobOptions

FLAGS = ('--auxiliary_steps=5', '--segment_steps=8', '--validation_share=0')


def values(seed, steps=20, channels=3, dtype=np.float32):
    found = np.random.RandomState(seed).randint(0, 256, (steps, channels))
    return found.astype(np.uint8) if dtype == np.uint8 else (found / 32 - 4).astype(dtype)


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), version)
    return file.getvalue()


def write(root, arrays, labels=None):
    """Arrays (or the bytes of a file) by name; labels are the rows of labels.csv."""
    files = {k: v if isinstance(v, bytes) else npy(v) for k, v in arrays.items()}
    source_data.write_folder(root, files)
    if labels is not None:
        source_data.write_csv(root / 'labels.csv', labels)
    return root


def job(source, output, *flags):
    assert run_job(f'--source=npy:{source}', f'--output={output}', *FLAGS, *flags) == 0
    return output


def stored(folder, *splits):
    """id -> (class name or None, values [T, C])."""
    described = source_data.description(folder)
    spec, names = described['spec'], described['class_names']
    return {
        example_id: (
            None if e.label < 0 else names[e.label],
            np.frombuffer(e.values, spec['dtype']).reshape(e.length, spec['channels']),
        )
        for example_id, e in source_data.by_id(folder, *splits).items()
    }


def assert_stored(folder, expected):
    """`expected`: id -> (class name or None, array [T, C])."""
    found = stored(folder)
    assert {k: label for k, (label, _) in found.items()} == {
        k: label for k, (label, _) in expected.items()
    }
    for key, (_, array) in expected.items():
        np.testing.assert_array_equal(found[key][1], array)


def test_arrays_with_and_without_a_label(tmp_path):
    arrays = {f'{("", "deep/er/")[i % 2]}{i}.npy': values(i, 10 + i) for i in range(8)}
    rows = [
        ['file', 'label', 'who'],
        *([f'./{k}', ('on', 'off')[i % 2], 'x'] for i, k in enumerate(list(arrays)[:6])),
    ]
    root = write(tmp_path / 'in', arrays | {'README.md': b'about', '._0.npy': b'mac'}, rows)
    out = job(root, tmp_path / 'out')
    expected = {
        f'train/{k}': (('on', 'off')[i % 2] if i < 6 else None, a.astype(np.float16))
        for i, (k, a) in enumerate(arrays.items())
    }
    assert_stored(out, expected)
    spec = source_data.description(out)['spec']
    assert (spec['kind'], spec['dtype'], spec['channels']) == ('signal', 'float16', 3)


@pytest.mark.parametrize('form', ['uint8', 'float'])
def test_types_and_layouts_give_the_same_values(tmp_path, form):
    """Any float type, byte order, order in memory and version of the format."""
    if form == 'uint8':
        made = [values(1, dtype=np.uint8), np.asfortranarray(values(2, dtype=np.uint8))]
    else:
        types = ('<f2', '>f2', '<f4', '>f4', '<f8', '>f8')
        made = [values(i, dtype=t) for i, t in enumerate(types)]
        made.append(np.asfortranarray(values(7)))
        # Rounds to the largest float16; 65520 would be infinite.
        made.append(np.full([5, 3], 65519.0))
    files = {f'{i}.npy': npy(array) for i, array in enumerate(made)}
    files['second.npy'] = npy(made[0], version=(2, 0))
    out = job(write(tmp_path / 'in', files), tmp_path / 'out')
    stored_as = np.uint8 if form == 'uint8' else np.float16
    expected = {f'train/{i}.npy': (None, a.astype(stored_as)) for i, a in enumerate(made)}
    assert_stored(out, expected | {'train/second.npy': (None, made[0].astype(stored_as))})
    assert source_data.description(out)['class_names'] == []


def test_one_channel_may_have_no_axis_and_max_steps_cuts(tmp_path):
    a, b = values(0, 30, 1), values(1, 6, 1)
    root = write(tmp_path / 'in', {'a.npy': a[:, 0], 'b.npy': b})
    out = job(root, tmp_path / 'out', '--max_steps=9', '--cut=tail')
    half = np.float16
    assert_stored(out, {'train/a.npy': (None, a[-9:].astype(half)), 'train/b.npy': (None, b)})


def test_splits_by_folder(tmp_path, capsys):
    arrays = {f'{s}/{i}.npy': values(i) for s in ('Training', 'test') for i in range(4)}
    rows = [['file', 'label'], *([k, f'c{k[-5]}'] for k in arrays)]
    more = {'other/9.npy': values(9), '@eaDir/test/9.npy': values(9)}
    root = write(tmp_path / 'in', arrays | more, rows)
    out = job(root, tmp_path / 'out', '--max_rejected_share=.2')
    for split, folder in (('train', 'Training'), ('test', 'test')):
        assert {k: label for k, (label, _) in stored(out, split).items()} == {
            f'{folder}/{i}.npy': f'c{i}' for i in range(4)
        }
    assert 'read as splits: train from Training, test from test\n' in capsys.readouterr().out
    assert rejected(out) == [
        {
            'id': 'other/9.npy',
            'place': 'other/9.npy',
            'reason': 'outside of the folders train, validation, test',
        }
    ]


def test_splits_by_column(tmp_path):
    """The column counts, wherever the arrays lie; what it does not name is for training."""
    splits = {'a.npy': 'train', 'b.npy': 'TEST', 'c/d.npy': 'val'}
    root = write(tmp_path / 'in', {k: values(i) for i, k in enumerate([*splits, 'e.npy'])})
    lines = [{'file': k, 'label': i % 2, 'split': s} for i, (k, s) in enumerate(splits.items())]
    # Both classes are to be seen in training.
    lines.append({'file': 'f.npy', 'label': 1, 'split': 'train'})
    write(root, {'f.npy': values(9)})
    (root / 'labels.jsonl').write_text('\n'.join(map(json.dumps, lines)))
    out = job(root, tmp_path / 'out')
    found = {s: {k: v[0] for k, v in stored(out, s).items()} for s in SPLITS}
    assert found == {
        'train': {'train/a.npy': '0', 'train/e.npy': None, 'train/f.npy': '1'},
        'validation': {'validation/c/d.npy': '0'},
        'test': {'test/b.npy': '1'},
    }


def test_the_column_of_splits_counts_more_than_folders(tmp_path):
    arrays = {name: values(0) for name in ('train/a.npy', 'test/a.npy', 'test/b.npy', 'c.npy')}
    rows = [['file', 'split'], ['test/a.npy', 'train'], ['train/a.npy', 'test']]
    source = make_npy(str(write(tmp_path, arrays, rows)))
    found = {i.id: i.split for group in source.groups() for i in source.items(group)}
    assert found == {
        'train/test/a.npy': 'train',
        'test/train/a.npy': 'test',
        # Not named, so where they lie decides.
        'test/test/b.npy': 'test',
        'train/c.npy': 'train',
    }


def unusable():
    """name -> (file, reason, detail); detail None: not looked at."""
    good = values(0)
    beyond, infinite = values(1), values(2)
    beyond[4, 1], infinite[3, 2] = 1e5, np.inf
    python = np.array([[1, 'a']], dtype=object)
    integers = (
        'integers other than uint8: save them with array.astype(numpy.float32), or with '
        'array.astype(numpy.uint8) where they are in 0..255'
    )
    others = 'neither uint8 nor float16, float32 or float64: save numbers of these types'
    nan = 'the array holds NaN or infinite values'
    empty, shape = 'the array is empty', 'the shape is neither [T] nor [T, C]'
    return {
        'objects': (
            npy(python),
            'an array of Python objects, which would have to be unpickled: save numbers, with '
            'array.astype(numpy.float32)',
            '',
        ),
        'int64': (npy(good.astype(np.int64)), integers, 'int64'),
        'int8': (npy(good.astype(np.int8)), integers, 'int8'),
        'bool': (npy(good > 0), integers, 'bool'),
        'complex': (npy(good.astype(np.complex64)), others, 'complex64'),
        'strings': (npy(good.astype('U5')), others, '<U5'),
        'dates': (npy(good.astype('M8[s]')), others, 'datetime64[s]'),
        'fields': (npy(np.zeros(5, 'f4,f4')), others, None),
        'fields3': (npy(np.zeros(5, [('größe€', 'f4')]), version=(3, 0)), others, None),
        'uint8': (
            npy(good.astype(np.uint8)),
            'of another type than the first array',
            'uint8, and a.npy is stored as float16',
        ),
        'channels': (
            npy(good[:, :2]),
            'of another number of channels than the first array',
            '2, and a.npy has 3',
        ),
        'vector': (
            npy(good[:, 0]),
            'of another number of channels than the first array',
            '1, and a.npy has 3',
        ),
        'scalar': (npy(np.float32(1)), shape, 'shape ()'),
        'cube': (npy(good.reshape(5, 4, 3)), shape, 'shape (5, 4, 3)'),
        'no-steps': (npy(good[:0]), empty, 'shape (0, 3)'),
        'no-channels': (npy(good[:, :0]), empty, 'shape (20, 0)'),
        'cut': (npy(good)[:-5], 'cut off or too long', '235 bytes, not 240'),
        'two': (npy(good) + npy(good), 'cut off or too long', '608 bytes, not 240'),
        'nothing': (b'', 'not a .npy file', ''),
        'zip': (b'PK' + bytes(30), 'not a .npy file', ''),
        'version': (b'\x93NUMPY\x09\x00' + npy(good)[8:], 'not a .npy file', 'version 9.0'),
        'header': (npy(good)[:10] + b'!' + npy(good)[11:], 'the header is damaged', None),
        'header-cut': (npy(good)[:40], 'the header is damaged', None),
        'code': (header("__import__('os').abort()"), 'the header is damaged', None),
        'deep': (header('(' * 5000), 'the header is damaged', None),
        'minus': (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 3)}"),
            'the header is damaged',
            'shape (-4, 3)',
        ),
        'nan': (npy(good * np.nan), nan, '[0, 0] is nan'),
        'inf': (npy(infinite), nan, '[3, 2] is inf'),
        'inf64': (npy(np.asfortranarray(infinite, '>f8')), nan, '[3, 2] is inf'),
        'beyond': (npy(beyond), 'values beyond the range of float16', '[4, 1] is 100000'),
        'beyond-by-one': (
            npy(np.full([5, 3], 65520.0)),
            'values beyond the range of float16',
            '[0, 0] is 65520',
        ),
        'beyond64': (
            npy(beyond.astype(np.float64) * 1e200),
            'values beyond the range of float16',
            None,
        ),
    }


def header(text):
    """A .npy file of version 1 with any header, without values."""
    data = text.encode()
    return b'\x93NUMPY\x01\x00' + len(data).to_bytes(2, 'little') + data


def test_what_cannot_be_used_is_rejected_by_name(tmp_path):
    good = {f'{k}.npy': values(i) for i, k in enumerate('abc')}
    bad = unusable()
    root = write(tmp_path / 'in', good | {f'x-{k}.npy': data for k, (data, _, _) in bad.items()})
    missing = 'the label file names it, and there is no such file'
    bad['none'] = (b'', missing, '')
    bad['pipe'] = (b'', 'no regular file', '')
    bad['folder'] = (b'', 'a folder, not a file', '')
    bad['loop'] = (b'', 'the file cannot be read', 'Too many levels of symbolic links')
    os.mkfifo(root / 'x-pipe.npy')
    (root / 'x-folder.npy').mkdir()
    (root / 'x-loop.npy').symlink_to('x-loop.npy')
    rows = [['file', 'label'], ['x-none.npy', 'a'], ['x-folder.npy', 'a'], ['a.npy', 'a']]
    source_data.write_csv(root / 'labels.csv', rows)
    out = job(root, tmp_path / 'out', '--max_rejected_share=.95')
    assert_stored(
        out,
        {
            f'train/{k}': ('a' if k == 'a.npy' else None, a.astype(np.float16))
            for k, a in good.items()
        },
    )
    found = {r['place'].removeprefix('x-').removesuffix('.npy'): r for r in rejected(out)}
    for name, (_, reason, detail) in bad.items():
        line = found.pop(name)
        assert (name, line['reason']) == (name, reason)
        assert line['id'] == f'train/x-{name}.npy'
        if detail is not None:
            assert (name, line.get('detail', '')) == (name, detail)
    assert not found


def test_no_folder_is_missing_in_silence(tmp_path, monkeypatch):
    """A link to a folder is named; a folder that cannot be listed is refused."""
    root = write(tmp_path / 'in', {'a.npy': values(0), 'more/b.npy': values(1)})
    write(tmp_path / 'other', {'c.npy': values(2)})
    (root / 'a-link').symlink_to(tmp_path / 'other')
    (root / '.hidden').symlink_to(tmp_path / 'other')
    source = make_npy(str(root))
    (group,) = source.groups()
    assert [(i.place.name, i.place.reason) for i in source.items(group)] == [
        ('a-link', 'a link to a folder, which is not followed'),
        ('a.npy', ''),
        ('more/b.npy', ''),
    ]
    walk = os.walk

    def denied(top, onerror):
        onerror(PermissionError(13, 'Permission denied', f'{top}/more'))
        return walk(top)

    monkeypatch.setattr(os, 'walk', denied)
    with pytest.raises(LonghaulError, match='more cannot be listed .Permission denied.; make it'):
        source.groups()


def test_a_link_of_a_split_is_followed(tmp_path):
    """As images: does; links elsewhere are not."""
    root = write(tmp_path / 'in', {'train/a.npy': values(0)})
    write(tmp_path / 'other', {'b.npy': values(1), 'more/c.npy': values(2)})
    (root / 'Test').symlink_to(tmp_path / 'other')
    (tmp_path / 'other' / 'test').symlink_to(tmp_path / 'other')
    (root / 'val.zip').touch()
    source = make_npy(str(root))
    train, test = source.groups()
    items = list(source.items(test))
    assert [(i.id, i.place.reason) for i in items] == [
        ('Test/b.npy', ''),
        ('Test/more/c.npy', ''),
        ('Test/test', 'a link to a folder, which is not followed'),
    ]
    assert [i.id for i in source.items(train)] == ['train/a.npy']
    assert [p.content for p in source.read(str(root), items[:2])] == [
        npy(values(1)),
        npy(values(2)),
    ]
    assert source.told() == [
        'read as splits: test from Test, train from train',
        'not read: val.zip',
    ]


@pytest.mark.parametrize('target', ['gone', 'in/train/a.npy'])
def test_a_link_of_a_split_that_leads_to_no_folder_is_refused(tmp_path, target):
    root = write(tmp_path / 'in', {'train/a.npy': values(0)})
    (root / 'test').symlink_to(tmp_path / target)
    with pytest.raises(LonghaulError, match='test is a link that leads to no folder; mend'):
        make_npy(str(root))


def test_folders_that_resemble_splits_are_refused(tmp_path):
    arrays = {f'{name}/a.npy': values(0) for name in ('seg_train', 'seg_test', 'docs')}
    root = write(tmp_path, arrays)
    message = f'--source=npy:{root}: seg_test, seg_train could be splits or classes; name splits'
    with pytest.raises(LonghaulError, match=message):
        make_npy(str(root))
    rows = [['file', 'split'], *([name, 'train'] for name in arrays)]
    assert len(list(make_npy(str(write(tmp_path, {}, rows))).groups())) == 1


def test_the_first_sound_header_decides(tmp_path):
    arrays = {'a.npy': b'none', 'b.npy': values(0)[:, :2], 'c.npy': values(1)}
    source = make_npy(str(write(tmp_path, arrays)))
    assert (source.first, source.channels, source.dtype) == ('b.npy', 2, 'float16')


def test_shards_by_size_as_it_is_stored(tmp_path):
    """float64 files are four times as large as what is stored of them."""
    big = np.zeros([40_000, 8])
    source = make_npy(str(write(tmp_path, {f'{i}.npy': big for i in range(3)})))
    stored_bytes = 3 * big.size * 2
    per_item = 300 * 8 * 2
    assert abs(source.estimated_items() * per_item - stored_bytes) <= 2 * per_item


@pytest.mark.parametrize(
    'flag',
    [
        'image_size=4',
        'channels=3',
        'permutation_seed=1',
        'steps_per_pixel=3',
        'pixel_order=hilbert',
        'tokens=bytes',
        'vocabulary_size=9',
    ],
)
def test_flags_of_images_and_texts_are_refused(tmp_path, flag):
    name, _, text = flag.partition('=')
    value = int(text) if text.isdigit() else text
    source = f'npy:{write(tmp_path, {"a.npy": values(0)})}'
    with pytest.raises(LonghaulError) as caught:
        make_plan(JobOptions(source=source, output='/nowhere', **{name: value}))
    assert str(caught.value) == f'--{flag}: {source} holds arrays; leave it out'


@pytest.mark.parametrize(
    ('arrays', 'labels', 'expected'),
    [
        ({}, {}, 'no usable .npy file below it (it holds none); save arrays of shape [T, C]'),
        (
            {'a.npy': np.zeros([2, 2, 2])},
            {},
            'a.npy: the shape is neither [T] nor [T, C] (shape (2, 2, 2))',
        ),
        ({'test/a.npy': 1, 'train/x.txt': b''}, {}, 'no array to train on'),
        ({'a.npy': 1}, {'labels.csv': 'name,label\na.npy,x\n'}, 'labels.csv has no column file'),
        ({'a.npy': 1}, {'labels.csv': ''}, 'labels.csv is empty'),
        (
            {'a.npy': 1},
            {'labels.csv': 'file,label\n', 'labels.jsonl': '{"file": "a.npy"}'},
            'holds labels.csv and labels.jsonl; keep the one that counts',
        ),
        (
            {'a.npy': 1},
            {'labels.csv': 'file,label\na.npy,x\na.npy,x,y\n'},
            'labels.csv, row 1 (from 0): the row has another number of columns',
        ),
        (
            {'a.npy': 1},
            {'labels.csv': 'file,label\na.npy,x\n./a.npy,x\n'},
            'row 1 (from 0): the file is named a second time (a.npy); mend the row',
        ),
        (
            {'a.npy': 1},
            {'labels.csv': 'file,split\na.npy,fold\n'},
            "the split is none of train, validation, test ('fold')",
        ),
        (
            {'a.npy': 1},
            {'labels.csv': 'file,split\na.npy,test\n'},
            'no array to train on; put some into train/, or give some the split train',
        ),
        ({'a.npy': 1}, {'labels.csv': 'file\n../a.npy\n'}, 'outside of the folder (../a.npy)'),
        ({'a.npy': 1}, {'labels.csv': 'file\n/a.npy\n'}, 'outside of the folder (/a.npy)'),
        ({'a.npy': 1}, {'labels.csv': 'file,label\n,x\n'}, 'row 0 (from 0): the file has no name'),
        (
            {'a.npy': 1},
            {'labels.jsonl': '{"file": "a.npy", "label": 1.5}'},
            'the label is neither a string nor a whole number',
        ),
        (
            {'a.npy': 1},
            {'labels.jsonl': '{"file": "a.npy"}\n{"file": "b.npy", "split": "test"}'},
            'row 1 (from 0): the row has a split, and the first one has none',
        ),
    ],
)
def test_refusals(tmp_path, arrays, labels, expected):
    root = tmp_path / 'in'
    root.mkdir()
    write(root, {k: values(0) if isinstance(v, int) else v for k, v in arrays.items()})
    for name, text in labels.items():
        (root / name).write_text(text)
    with pytest.raises(LonghaulError) as caught:
        make_npy(str(root)).groups()
    assert expected in str(caught.value)


def test_a_missing_folder_is_refused_in_one_line(tmp_path, capsys):
    source = f'--source=npy:{tmp_path / "none"}'
    message = refusal(capsys, source, f'--output={tmp_path / "out"}')
    assert message == f'{source}: no such folder; name one with .npy files'
