"""texts: folders and zips of text files; what they share with images: is tested there too."""

import os

import pytest
import source_data
from source_data import refusal, rejected, run_job

from pipelines.job.sources.files.texts import Texts

FLAGS = ('--auxiliary_steps=5', '--segment_steps=8')


def files(count=24):
    """'CLASS/NAME.txt' -> bytes; every text is another one."""
    rows = source_data.documents(count)[1:]
    return {f'{label}/{i:02}.txt': text.encode() for i, (label, text) in enumerate(rows)}


def job(source, output, *flags):
    assert run_job(f'--source=texts:{source}', f'--output={output}', *FLAGS, *flags) == 0
    return output


def texts(folder, *splits):
    """id -> (class name or None, text)."""
    names = source_data.description(folder)['class_names']
    return {
        example_id: (None if e.label < 0 else names[e.label], e.values)
        for example_id, e in source_data.by_id(folder, *splits).items()
    }


def expected(written, split='train'):
    return {f'{split}/{name}': (name.split('/')[0], data) for name, data in written.items()}


def test_a_folder_of_classes(tmp_path):
    source_data.write_folder(tmp_path / 'in', files())
    out = job(tmp_path / 'in', tmp_path / 'out')
    assert texts(out) == expected(files())
    described = source_data.description(out)
    assert described['class_names'] == ['rain', 'sun']
    assert described['spec']['tokens'] == 'bytes'


def test_a_zip_gives_the_same_bytes_as_its_folder(tmp_path):
    folder = source_data.write_folder(tmp_path / 'in', files())
    archive = source_data.write_zip(tmp_path / 'in.zip', dict(reversed(files().items())))
    a, b = (job(s, tmp_path / n, '--shards=2') for s, n in ((folder, 'a'), (archive, 'b')))
    assert source_data.contents(a) == source_data.contents(b)


def test_own_splits(tmp_path):
    source_data.write_folder(tmp_path / 'in' / 'train', files(30))
    source_data.write_folder(tmp_path / 'in' / 'test', files(6))
    out = job(tmp_path / 'in', tmp_path / 'out', '--validation_share=0.2')
    assert texts(out, 'test') == expected(files(6), 'test')
    assert texts(out, 'train', 'validation') == expected(files(30))
    assert source_data.examples(out, 'validation')


def test_which_files_are_documents(tmp_path):
    """All that are not hidden, of any name and depth; outside of the classes those named .txt."""
    taken = {'sun/a/b/deep.TXT': b'deep', 'sun/51060': b'a post', 'rain/code.py': b'x = 1\n'}
    strays = {'stray.txt': b'a stray', 'STRAY.TXT': b'another'}
    left = {'README.md': b'about', '.hidden.txt': b'x', 'sun/.DS_Store': b'x', '.git/c/d.txt': b'x'}
    source_data.write_folder(tmp_path / 'in', files() | taken | strays | left)
    out = job(tmp_path / 'in', tmp_path / 'out', '--validation_share=0')
    unlabelled = {f'train/{name}': (None, data) for name, data in strays.items()}
    assert texts(out) == expected(files() | taken) | unlabelled
    assert source_data.description(out)['counts']['classes']['train'][''] == 2


BOM = b'\xef\xbb\xbf'


@pytest.mark.parametrize('zipped', [False, True], ids=['folder', 'zip'])
def test_a_byte_order_mark_is_no_text(tmp_path, zipped):
    written = files() | {'sun/marked.txt': BOM + 'größe €\r\n'.encode() + BOM}
    write = source_data.write_zip if zipped else source_data.write_folder
    out = job(write(tmp_path / ('in.zip' if zipped else 'in'), written), tmp_path / 'out')
    # As csv: and jsonl: treat it, the first one alone; line ends stay.
    assert texts(out)['train/sun/marked.txt'] == ('sun', 'größe €\r\n\ufeff'.encode())


def test_bad_files_are_rejected_one_by_one(tmp_path):
    bad = {
        'sun/empty.txt': (b'', 'the text is empty'),
        'sun/mark.txt': (BOM, 'the text is empty'),
        'sun/spaces.txt': (b' \r\n\t', 'the text is empty'),
        'rain/latin.txt': (b'caf\xe9', 'the text is not UTF-8'),
        'rain/picture.png': (b'\x89PNG\r\n\x1a\n', 'the text is not UTF-8'),
    }
    written = files(40) | {name: data for name, (data, _) in bad.items()}
    source_data.write_folder(tmp_path / 'in', written)
    # A link to nothing, and a pipe that nobody writes to.
    os.symlink(tmp_path / 'nowhere', tmp_path / 'in' / 'sun' / 'link.txt')
    os.mkfifo(tmp_path / 'in' / 'sun' / 'pipe.txt')
    out = job(tmp_path / 'in', tmp_path / 'out', '--max_rejected_share=0.2')
    reasons = {name: reason for name, (_, reason) in bad.items()}
    reasons |= {'sun/link.txt': 'the file cannot be read', 'sun/pipe.txt': 'no regular file'}
    assert {r['id']: (r['place'], r['reason']) for r in rejected(out)} == {
        f'train/{name}': (name, reason) for name, reason in reasons.items()
    }
    assert texts(out) == expected(files(40))


def test_names_that_are_no_unicode(tmp_path):
    """Of a stray they are part of its id; a class would have no name to show."""
    source_data.write_folder(tmp_path / 'in', files(40))
    top = os.fsencode(tmp_path / 'in')
    os.mkdir(top + b'/caf\xe9')
    for name in (b'/caf\xe9/1.txt', b'/caf\xe9.txt', b'/sun/caf\xe9.txt'):
        with open(top + name, 'wb') as file:
            file.write(b'coffee')
    flags = ('--max_rejected_share=0.1', '--validation_share=0')
    found = texts(job(tmp_path / 'in', tmp_path / 'out', *flags))
    assert found['train/caf\udce9.txt'] == (None, b'coffee')
    assert found['train/sun/caf\udce9.txt'] == ('sun', b'coffee')
    (line,) = rejected(tmp_path / 'out')
    assert line['reason'] == 'the name of its class is not UTF-8: rename the folder'


def test_max_steps_cuts_the_end_off(tmp_path):
    source_data.write_folder(tmp_path / 'in', files())
    out = job(tmp_path / 'in', tmp_path / 'out', '--max_steps=11')
    assert texts(out) == expected({name: data[:11] for name, data in files().items()})


@pytest.mark.parametrize('zipped', [False, True], ids=['folder', 'zip'])
def test_shards_follow_the_bytes(tmp_path, zipped):
    written = {'sun/1.txt': b'x' * 3000, 'rain/2.txt': b'y' * 30_000, '.hidden': b'z' * 9999}
    if zipped:
        path = source_data.write_zip(tmp_path / 'in.zip', written)
    else:
        path = source_data.write_folder(tmp_path / 'in', written)
        os.symlink(tmp_path / 'nowhere', path / 'sun' / 'link.txt')
    assert Texts(str(path)).estimated_items() == 111


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('none', 'no such folder or zip; name one with a folder per class'),
        ('flat', 'holds no CLASS/NAME.txt; put the texts of each class into a folder of its own'),
        ('flat/1.txt', 'cannot be opened as a zip (File is not a zip file); name a folder or a w'),
    ],
)
def test_refusals(tmp_path, capsys, name, message):
    source_data.write_folder(tmp_path / 'flat', {'1.txt': b'a text'})
    source = f'--source=texts:{tmp_path / name}'
    assert message in refusal(capsys, source, f'--output={tmp_path / "out"}', *FLAGS)


@pytest.mark.parametrize('flag', ['--image_size=8', '--channels=1', '--permutation_seed=1'])
def test_refuses_flags_of_images(tmp_path, capsys, flag):
    source_data.write_folder(tmp_path / 'in', files(2))
    source = f'texts:{tmp_path / "in"}'
    message = refusal(capsys, f'--source={source}', f'--output={tmp_path / "out"}', flag)
    assert message == f'{flag}: {source} holds text; leave it out'
