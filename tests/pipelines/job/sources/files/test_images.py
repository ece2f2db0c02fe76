"""images: folders and zips, with their splits, strays and refusals."""

import os

import numpy as np
import pytest
import source_data
from source_data import IMAGE_FLAGS, encode_image, picture_files, pixels, refusal, run_job

from pipelines.job.sources.files.images import Images


def job(source, output, *flags):
    assert run_job(f'--source=images:{source}', f'--output={output}', *IMAGE_FLAGS, *flags) == 0
    return output


def listed(path):
    source = Images(str(path))
    return [item for group in source.groups() for item in source.items(group)]


def test_a_folder_of_classes(tmp_path):
    files = picture_files()
    source = source_data.write_folder(tmp_path / 'in', files)
    out = job(source, tmp_path / 'out')
    found = source_data.by_id(out)
    assert sorted(found) == sorted(f'train/{name}' for name in files)
    assert source_data.description(out)['class_names'] == ['cat', 'dog']
    for i, name in enumerate(files):
        example = found[f'train/{name}']
        assert example.values == pixels(i).tobytes()
        assert example.label == i % 2
        assert example.length == 16


def test_a_zip_gives_the_same_bytes_as_its_folder(tmp_path):
    files = picture_files()
    folder = source_data.write_folder(tmp_path / 'in', files)
    archive = source_data.write_zip(tmp_path / 'in.zip', dict(reversed(files.items())))
    a, b = (job(s, tmp_path / n) for s, n in ((folder, 'a'), (archive, 'b')))
    assert source_data.contents(a) == source_data.contents(b)


@pytest.mark.parametrize('zipped', [False, True], ids=['folders', 'zips'])
def test_own_splits(tmp_path, zipped):
    write = source_data.write_zip if zipped else source_data.write_folder
    suffix = '.zip' if zipped else ''
    write(tmp_path / 'in' / f'train{suffix}', picture_files(20))
    write(tmp_path / 'in' / f'test{suffix}', picture_files(6))
    out = job(tmp_path / 'in', tmp_path / 'out', '--validation_share=0')
    names = list(picture_files(20))
    assert sorted(e.id for e in source_data.examples(out)) == [f'train/{n}' for n in sorted(names)]
    assert sorted(e.id for e in source_data.examples(out, 'test')) == [
        f'test/{n}' for n in sorted(names[:6])
    ]
    assert not list(out.glob('validation-*'))


def test_a_validation_folder_is_a_split_of_its_own(tmp_path):
    files = picture_files(12)
    for split in ('train', 'validation'):
        source_data.write_folder(tmp_path / split, files)
    source_data.write_zip(tmp_path / 'test.zip', files)
    groups = Images(str(tmp_path)).groups()
    assert [(g.split, g.path) for g in groups] == [
        ('train', str(tmp_path / 'train')),
        ('validation', str(tmp_path / 'validation')),
        ('test', str(tmp_path / 'test.zip')),
    ]
    assert [i.id for i in Images(str(tmp_path)).items(groups[1])] == [
        f'validation/{name}' for name in sorted(files)
    ]


def test_deeper_folders_belong_to_their_class(tmp_path):
    data = encode_image(pixels(0))
    source_data.write_folder(tmp_path, {'cat/a/b/1.png': data, 'dog/2.JPG': data})
    found = {i.id: i.label for i in listed(tmp_path)}
    assert found == {'train/cat/a/b/1.png': 'cat', 'train/dog/2.JPG': 'dog'}


@pytest.mark.parametrize('zipped', [False, True], ids=['folder', 'zip'])
def test_what_desktops_leave_behind_is_passed_over(tmp_path, zipped):
    names = ('.DS_Store', '__MACOSX/cat/._1.png', 'cat/._1.png', 'cat/Thumbs.db', '.git/cat/1.png')
    files = {'cat/1.png': encode_image(pixels(0)), **dict.fromkeys(names, b'x')}
    if zipped:
        path = source_data.write_zip(tmp_path / 'in.zip', files)
    else:
        path = source_data.write_folder(tmp_path / 'in', files)
    assert [i.id for i in listed(path)] == ['train/cat/1.png']


def test_an_image_outside_of_any_class_has_no_label(tmp_path):
    files = picture_files() | {'stray.png': encode_image(pixels(99)), 'README.md': b'about'}
    source_data.write_folder(tmp_path / 'in', files)
    out = job(tmp_path / 'in', tmp_path / 'out', '--validation_share=0')
    found = source_data.by_id(out)
    assert found['train/stray.png'].label == -1
    assert 'train/README.md' not in found
    classes = source_data.description(out)['counts']['classes']['train']
    assert classes == {'': 1, 'cat': 12, 'dog': 12}


def test_another_file_in_a_class_is_rejected_by_name(tmp_path):
    source_data.write_folder(tmp_path / 'in', picture_files() | {'cat/notes.txt': b'about cats'})
    out = job(tmp_path / 'in', tmp_path / 'out', '--max_rejected_share=0.05')
    assert source_data.rejected(out) == [
        {
            'id': 'train/cat/notes.txt',
            'place': 'cat/notes.txt',
            'reason': 'neither a PNG, a JPEG, a GIF nor a BMP file',
        }
    ]


def test_names_of_any_kind(tmp_path):
    """Also those that are no unicode: their bytes are their id."""
    names = ['cat/mit leer.png', 'cat/größe.png', 'cat/[1]*?.png', 'cat/a"b\'.png', 'dog/x.png']
    files = {name: encode_image(pixels(i)) for i, name in enumerate(names)}
    source_data.write_folder(tmp_path / 'in', files)
    latin = os.fsencode(tmp_path / 'in' / 'cat') + b'/caf\xe9.png'
    with open(latin, 'wb') as file:
        file.write(encode_image(pixels(77)))
    out = job(tmp_path / 'in', tmp_path / 'out', '--validation_share=0')
    found = source_data.by_id(out)
    assert sorted(found) == sorted([*(f'train/{n}' for n in names), 'train/cat/caf\udce9.png'])
    assert found['train/cat/caf\udce9.png'].values == pixels(77).tobytes()


def test_colours_by_default_and_gray_on_demand(tmp_path):
    source_data.write_folder(tmp_path / 'in', picture_files())
    out = job(tmp_path / 'in', tmp_path / 'out', '--channels=1', '--validation_share=0')
    exact = pixels(0) @ np.array([0.299, 0.587, 0.114])
    values = np.frombuffer(source_data.by_id(out)['train/cat/00.png'].values, np.uint8)
    assert len(values) == 16
    assert np.abs(values - exact.reshape(-1)).max() < 0.5 + 1e-4


def test_a_damaged_member_of_a_zip_is_rejected(tmp_path):
    path = source_data.write_zip(tmp_path / 'in.zip', picture_files())
    data = bytearray(path.read_bytes())
    at = data.index(b'cat/04.png') + len('cat/04.png')
    data[at + 10 : at + 20] = bytes(10)
    path.write_bytes(data)
    out = job(path, tmp_path / 'out', '--max_rejected_share=0.1')
    (line,) = source_data.rejected(out)
    assert (line['id'], line['place']) == ('train/cat/04.png', 'cat/04.png')
    assert line['reason'] == 'the file cannot be read'


def test_the_place_names_the_zip_only_where_there_are_two(tmp_path):
    for split in ('train', 'test'):
        files = picture_files(30) | {'cat/bad.png': b'bad'}
        source_data.write_zip(tmp_path / 'in' / f'{split}.zip', files)
    out = job(tmp_path / 'in', tmp_path / 'out', '--max_rejected_share=0.1')
    places = [line['place'] for line in source_data.rejected(out)]
    assert places == ['test.zip: cat/bad.png', 'train.zip: cat/bad.png']


def test_an_id_twice_in_a_zip_is_refused_with_both_places(tmp_path, capsys):
    data = encode_image(pixels(0))
    with pytest.warns(UserWarning, match='Duplicate name'):
        path = source_data.write_zip(
            tmp_path / 'in.zip', [('cat/1.png', data), ('dog/1.png', data), ('cat/1.png', data)]
        )
    message = refusal(
        capsys, f'--source=images:{path}', f'--output={tmp_path / "out"}', *IMAGE_FLAGS
    )
    assert message == (
        "duplicate id 'train/cat/1.png' (cat/1.png and cat/1.png); ids must differ: rename one of "
        'them'
    )
    assert not (tmp_path / 'out' / 'records.json').exists()


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('missing', 'no such folder or zip; name one with a folder per class'),
        ('empty', 'put the images of each class into a folder of its own'),
        ('flat', 'holds no CLASS/NAME.png'),
        ('no.zip', 'cannot be opened as a zip (File is not a zip file); name a folder or a whole'),
        ('empty.zip', 'holds no CLASS/NAME.png'),
    ],
)
@pytest.mark.parametrize('flags', [(), ('--shards=1',)], ids=['', 'shards'])
def test_refusals(tmp_path, capsys, name, expected, flags):
    """With --shards nobody lists the source on the launcher: a worker refuses."""
    (tmp_path / 'empty').mkdir()
    source_data.write_folder(tmp_path / 'flat', {'1.png': encode_image(pixels(0))})
    (tmp_path / 'no.zip').write_bytes(b'PK but no zip')
    source_data.write_zip(tmp_path / 'empty.zip', {})
    output = tmp_path / 'out'
    source = f'--source=images:{tmp_path / name}'
    message = refusal(capsys, source, f'--output={output}', *IMAGE_FLAGS, *flags)
    assert str(tmp_path / name) in message
    assert expected in message
    assert not (output / 'records.json').exists()


def test_the_size_must_be_named(tmp_path, capsys):
    source_data.write_folder(tmp_path / 'in', picture_files(2))
    message = refusal(capsys, f'--source=images:{tmp_path / "in"}', f'--output={tmp_path / "out"}')
    assert message.startswith('--image_size is missing: ')
    assert '--image_size=28' in message
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('first', ['./', '/'], ids=['dot', 'root'])
def test_a_zip_whose_names_begin_elsewhere_keeps_its_classes(tmp_path, first):
    """Some programs write ./CLASS/NAME or /CLASS/NAME; neither is hidden, nor of a class ''."""
    path = source_data.write_zip(tmp_path / 'in.zip', picture_files(4, prefix=first))
    assert [i.label for i in listed(path)] == ['cat', 'dog', 'cat', 'dog']


def test_a_class_whose_name_is_no_unicode_ends_in_one_line_or_in_records(tmp_path, capsys):
    source_data.write_folder(tmp_path / 'in', picture_files(20))
    os.rename(tmp_path / 'in' / 'dog', os.fsencode(tmp_path / 'in') + b'/caf\xe9')
    flags = (f'--source=images:{tmp_path / "in"}', f'--output={tmp_path / "out"}', *IMAGE_FLAGS)
    assert run_job(*flags) in (0, 2)
