"""Texts that are no UTF-8: which encoding they are taken for, in every source of documents."""

import json

import pytest
import source_data
import tensorflow_datasets as tfds
import tfds_data
from source_data import refusal, rejected, run_job

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Payload, Rejected
from pipelines.job.text_encoding import cell_to_utf8, check_encoding, text_payload

FLAGS = (
    '--auxiliary_steps=5', '--segment_steps=8', '--validation_share=0', '--max_rejected_share=0.9',
)  # fmt: skip
TEXT = 'Größe: 5 €, naïve'
JAPANESE = '表示する。ソ\\'
# Bytes, --encoding, the text, the encoding that is counted.
READABLE = {
    'utf-8': (TEXT.encode(), None, TEXT, 'utf-8'),
    'ascii': (b'plain', None, 'plain', 'utf-8'),
    'empty': (b'', None, '', 'utf-8'),
    'utf-8-mark': (TEXT.encode('utf-8-sig'), None, TEXT, 'utf-8'),
    'mark-within': ('a\ufeffb'.encode(), None, 'a\ufeffb', 'utf-8'),
    'second-mark': ('\ufeff\ufeffb'.encode(), None, '\ufeffb', 'utf-8'),
    'zero-bytes': (b'a\0b', None, 'a\0b', 'utf-8'),
    'utf-16-le': (b'\xff\xfe' + TEXT.encode('utf-16-le'), None, TEXT, 'utf-16'),
    'utf-16-be': (b'\xfe\xff' + TEXT.encode('utf-16-be'), None, TEXT, 'utf-16'),
    'utf-16-zero': (b'\xff\xfe\0\0a\0', None, '\0a', 'utf-16'),
    'utf-32-le': (b'\xff\xfe\0\0' + TEXT.encode('utf-32-le'), None, TEXT, 'utf-32'),
    'utf-32-be': (b'\0\0\xfe\xff' + TEXT.encode('utf-32-be'), None, TEXT, 'utf-32'),
    'cp1252': (TEXT.encode('cp1252'), 'cp1252', TEXT, 'cp1252'),
    'utf-8-before-cp1252': (TEXT.encode(), 'cp1252', TEXT, 'utf-8'),
    'mark-before-cp1252': (TEXT.encode('utf-16'), 'cp1252', TEXT, 'utf-16'),
    'shift_jis': (JAPANESE.encode('shift_jis'), 'shift_jis', JAPANESE, 'shift_jis'),
    'stated-utf-16-le': (TEXT.encode('utf-16-le'), 'utf-16-le', TEXT, 'utf-16-le'),
    'ascii-in-utf-16-le': ('plain'.encode('utf-16-le'), 'utf-16-le', 'plain', 'utf-16-le'),
    'utf-8-beside-utf-16-le': (b'an even', 'utf-16-le', 'an even', 'utf-8'),
    'utf-7': ('é1'.encode('utf-7'), 'utf-7', 'é1', 'utf-7'),
    'iso2022_jp': ('日本'.encode('iso2022_jp'), 'iso2022_jp', '日本', 'iso2022_jp'),
    'utf-8-beside-utf-7': ('é'.encode(), 'utf-7', 'é', 'utf-8'),
    'ebcdic': (b'\xc8\x85\x93\x93\x96', 'cp037', 'Hello', 'cp037'),
}
LATIN = b'caf\xe9'
UNREADABLE = {
    'latin': (LATIN, None, 'the text is not UTF-8'),
    'surrogate': (b'\xed\xa0\x80', None, 'the text is not UTF-8'),
    'marked-utf-8': (b'\xef\xbb\xbf' + LATIN, 'cp1252', 'the text is neither UTF-8 nor cp1252'),
    'no-cp1252': (b'\x81\x8d', 'cp1252', 'the text is neither UTF-8 nor cp1252'),
    'no-shift_jis': (b'\x82', 'shift_jis', 'the text is neither UTF-8 nor shift_jis'),
    'lone-surrogate': (b'+2AA-\xff', 'utf-7', 'the text is neither UTF-8 nor utf-7'),
    'half': (b'\xff\xfea', 'cp1252', 'the text is not UTF-16, as its byte order mark says'),
    'utf-32': (b'\0\0\xfe\xff\0', None, 'the text is not UTF-32, as its byte order mark says'),
}


@pytest.mark.parametrize(('data', 'stated', 'text', 'counted'), READABLE.values(), ids=READABLE)
def test_what_a_text_is_taken_for(data, stated, text, counted):
    assert text_payload(data, check_encoding(stated)) == Payload(text.encode(), encoding=counted)


@pytest.mark.parametrize(('data', 'stated', 'reason'), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_in_no_encoding_is_rejected(data, stated, reason):
    found = text_payload(data, check_encoding(stated))
    assert isinstance(found, Rejected)
    assert found.reason == reason


def test_a_cell_has_no_mark_of_its_own():
    marked = TEXT.encode('utf-16').decode('utf-8', 'surrogateescape')
    assert cell_to_utf8(marked, None) is None
    assert cell_to_utf8('\ufeffx', None) == ('\ufeffx'.encode(), 'utf-8')


@pytest.mark.parametrize('name', [None, 'utf-8', 'UTF8', 'utf_8_sig', 'U8'])
def test_utf8_is_no_other_encoding(name):
    assert check_encoding(name, table=True) is None


@pytest.mark.parametrize('name', ['cp1252', 'latin-1', 'shift_jis', 'gb18030', 'koi8-r', 'big5'])
def test_tables_may_be_in_what_keeps_ascii(name):
    assert check_encoding(name, table=True) == name


@pytest.mark.parametrize(
    'name', ['utf-16', 'utf-16-le', 'utf-32', 'utf-7', 'iso2022_jp', 'hz', 'cp037', 'idna']
)
def test_tables_in_other_encodings_are_refused(name):
    with pytest.raises(LonghaulError) as caught:
        check_encoding(name, table=True)
    assert str(caught.value).startswith(f'--encoding={name}: rows and cells are found by the ASCII')
    assert str(caught.value).endswith(f'iconv -f {name} -t UTF-8 TABLE > NEW_TABLE')
    assert check_encoding(name) == name


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('windows1252', 'Python knows no such encoding; did you mean windows-1252?'),
        ('shiftjis2', 'did you mean shiftjis?'),
        ('', 'name one of "Standard Encodings" in'),
        ('a\\b', 'Python knows no such encoding; '),
        ('base64', 'is no encoding of texts; name one such as cp1252'),
        ('rot13', 'is no encoding of texts'),
        ('undefined', 'is no encoding of texts'),
    ],
)
def test_other_names_are_refused(name, expected):
    with pytest.raises(LonghaulError) as caught:
        check_encoding(name)
    shown = name.replace('\0', r'\x00')
    assert str(caught.value).startswith(f'--encoding={shown}: ')
    assert expected in str(caught.value)


def check_counts(folder, expected):
    """records.json and stats.json count them alike."""
    for name in ('stats.json', 'records.json'):
        found = json.loads((folder / name).read_text())['counts']['encodings']
        assert found == {'train': expected}


def texts(folder):
    """id -> (class name or None, text)."""
    names = source_data.description(folder)['class_names']
    found = source_data.by_id(folder).items()
    return {k: (None if e.label < 0 else names[e.label], e.values.decode()) for k, e in found}


def test_files_in_several_encodings(tmp_path, capsys):
    files = {
        'a/1.txt': TEXT.encode(),
        'a/2.txt': TEXT.encode('utf-8-sig'),
        'b/3.txt': TEXT.encode('utf-16'),
        'b/4.txt': TEXT.encode('cp1252'),
        'b/5.txt': LATIN,
    }
    bad = {'a/bad.txt': b'\x81\x8d'}
    source = source_data.write_folder(tmp_path / 'in', files | bad)
    flags = (f'--source=texts:{source}', f'--output={tmp_path / "out"}', *FLAGS)
    assert run_job(*flags, '--encoding=cp1252') == 0
    same = {f'train/{name}': (name[0], TEXT) for name in files}
    assert texts(tmp_path / 'out') == same | {'train/b/5.txt': ('b', 'café')}
    (line,) = rejected(tmp_path / 'out')
    assert line == {
        'id': 'train/a/bad.txt',
        'place': 'a/bad.txt',
        'reason': 'the text is neither UTF-8 nor cp1252',
    }
    check_counts(tmp_path / 'out', {'utf-8': 2, 'cp1252': 2, 'utf-16': 1})
    assert '\n  converted to UTF-8: 2 from cp1252, 1 from utf-16\n' in capsys.readouterr().out
    # As characters as well, which are counted before they are written.
    flags = (*flags, '--encoding=cp1252', '--tokens=characters', '--overwrite')
    assert run_job(*flags) == 0
    vocabulary = source_data.description(tmp_path / 'out')['spec']['vocabulary']
    assert set(vocabulary) == set(TEXT + 'café')


@pytest.mark.parametrize('name', ['t.csv', 't.csv.gz'])
def test_cells_of_a_table(tmp_path, name):
    """Cell by cell: a table may be pasted together from several."""
    rows = [
        b'label,text',
        'süd,'.encode() + TEXT.replace(',', ';').encode(),
        'süd,'.encode('cp1252') + b'"' + TEXT.encode('cp1252') + b'"',
        'süd,'.encode('cp1252') + 'Öl'.encode(),
        b'\x81,a label in neither',
        b'nord,\x81\x8d',
    ]
    path = source_data.write_packed(tmp_path / name, b'\n'.join(rows))
    out = tmp_path / 'out'
    assert run_job(f'--source=csv:{path}', f'--output={out}', *FLAGS, '--encoding=cp1252') == 0
    assert texts(out) == {
        'train/000000': ('süd', TEXT.replace(',', ';')),
        'train/000001': ('süd', TEXT),
        'train/000002': ('süd', 'Öl'),
    }
    assert {r['id']: r['reason'] for r in rejected(out)} == {
        'train/000003': 'the label is neither UTF-8 nor cp1252',
        'train/000004': 'the text is neither UTF-8 nor cp1252',
    }
    check_counts(out, {'utf-8': 2, 'cp1252': 1})


def test_lines_of_json(tmp_path):
    """Line by line, before JSON is read: Shift-JIS ends letters with the byte of a backslash."""
    lines = [
        json.dumps({'text': JAPANESE, 'label': 'ソ'}, ensure_ascii=False).encode('shift_jis'),
        json.dumps({'text': JAPANESE, 'label': 'ソ'}, ensure_ascii=False).encode(),
        json.dumps({'text': JAPANESE}).encode(),
        b'{"text": "\x82"}',
    ]
    path = source_data.write_packed(tmp_path / 't.jsonl', b'\n'.join(lines))
    out = tmp_path / 'out'
    assert run_job(f'--source=jsonl:{path}', f'--output={out}', *FLAGS, '--encoding=shift_jis') == 0
    assert texts(out) == {
        'train/000000': ('ソ', JAPANESE),
        'train/000001': ('ソ', JAPANESE),
        'train/000002': (None, JAPANESE),
    }
    (line,) = rejected(out)
    assert line['reason'] == 'the line is neither UTF-8 nor shift_jis'
    check_counts(out, {'utf-8': 2, 'shift_jis': 1})


def test_texts_of_tfds(tmp_path):
    rows = [TEXT.encode(), TEXT.encode('utf-8-sig'), TEXT.encode('utf-16'), TEXT.encode('cp1252')]
    features = {'text': tfds.features.Text()}
    splits = {'train': [{'text': row} for row in rows]}
    data_dir = tfds_data.write_set(tmp_path / 'data', features, splits)
    flags = (f'--data_dir={data_dir}', f'--output={tmp_path / "out"}', '--encoding=cp1252', *FLAGS)
    assert run_job('--source=tfds:weather', *flags) == 0
    assert set(texts(tmp_path / 'out').values()) == {(None, TEXT)}
    assert len(texts(tmp_path / 'out')) == 4
    check_counts(tmp_path / 'out', {'utf-8': 2, 'utf-16': 1, 'cp1252': 1})


@pytest.mark.parametrize('name', ['t.csv', 't.csv.gz', 't.jsonl'])
@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-be', 'utf-16-le', 'utf-32', 'utf-32-le'])
def test_wide_tables_are_refused_on_the_launcher(tmp_path, capsys, name, encoding):
    text = 'label,text\na,b\n' if 'csv' in name else '{"text": "a"}\n'
    path = source_data.write_packed(tmp_path / name, text.encode(encoding))
    kind = name.split('.')[1]
    output = tmp_path / 'out'
    message = refusal(capsys, f'--source={kind}:{path}', f'--output={output}', *FLAGS)
    wide = encoding[:6].upper()
    assert message.startswith(f'--source: {path} is {wide}, and the rows of a table are found by ')
    assert message.endswith(f'convert it first: iconv -f {wide} -t UTF-8 TABLE > NEW_TABLE')
    assert not output.exists()


def test_images_have_no_encoding(tmp_path, capsys):
    flags = (f'--source=images:{tmp_path}', f'--output={tmp_path / "out"}', '--encoding=cp1252')
    message = refusal(capsys, *flags)
    assert message == (
        '--encoding=cp1252: is for texts:, csv:, jsonl: and tfds: sources, and the source is '
        f'images:{tmp_path}; leave it out'
    )


def test_names_of_classes_may_have_a_mark(tmp_path):
    (tmp_path / 'names.txt').write_bytes('süd\nnord\n'.encode('utf-8-sig'))
    path = source_data.write_csv(tmp_path / 't.csv', [['label', 'text'], ['süd', 'a text']])
    names = f'--class_names={tmp_path / "names.txt"}'
    assert run_job(f'--source=csv:{path}', f'--output={tmp_path / "out"}', names, *FLAGS) == 0
    assert texts(tmp_path / 'out') == {'train/000000': ('süd', 'a text')}
