"""jsonl: lines by their offsets, and what is refused or rejected."""

import gzip
import json

import pytest
import source_data
from source_data import refusal, rejected, run_job

DEEP = b'[' * 9999 + b'\n'
# Bytes that are UTF-8 as well.
UTF_16 = '{"text": "wide"}\n'.encode('utf-16-be')
FLAGS = ('--auxiliary_steps=5', '--segment_steps=8')
OBJECTS = [
    {'label': 'a', 'text': 'plain'},
    {'text': 'größe €\nin two lines', 'label': 'b'},
    {'label': ' a ', 'text': 'label with spaces', 'other': [1, {'text': 'no'}]},
    {'text': 'no label'},
    {'label': None, 'text': 'no label either'},
    {'label': '', 'text': 'an empty one'},
    {'label': 'b', 'text': ' the last '},
]


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b''.join(x if isinstance(x, bytes) else json.dumps(x).encode() + b'\n' for x in lines)
    path.write_bytes(gzip.compress(data) if path.suffix == '.gz' else data)
    return path


def job(source, output, *flags):
    assert run_job(f'--source=jsonl:{source}', f'--output={output}', *FLAGS, *flags) == 0
    return output


def texts(folder):
    """id -> (class name or None, text)."""
    names = source_data.description(folder)['class_names']
    return {
        example_id: (None if e.label < 0 else names[e.label], e.values.decode())
        for example_id, e in source_data.by_id(folder).items()
    }


def expected(objects, split='train'):
    return {
        f'{split}/{i:06}': ((o.get('label') or '').strip() or None, o['text'])
        for i, o in enumerate(objects)
    }


@pytest.mark.parametrize('bom', [b'', b'\xef\xbb\xbf'], ids=['', 'bom'])
@pytest.mark.parametrize('name', ['t.jsonl', 't.jsonl.gz'])
def test_reads_what_json_reads(tmp_path, name, bom):
    lines = [bom + json.dumps(OBJECTS[0]).encode() + b'\r\n', b'\n', *OBJECTS[1:]]
    lines[-1] = json.dumps(OBJECTS[-1], ensure_ascii=False).encode()  # No line end at all.
    out = job(write(tmp_path / name, *lines), tmp_path / 'out', '--shards=2')
    assert texts(out) == expected(OBJECTS)


def test_a_folder_has_its_splits_and_other_keys_may_be_named(tmp_path):
    # pandas writes 1.0 beside a missing label.
    train = [{'y': i % 2 if i < 6 else float(i % 2), 'body': f'document {i}'} for i in range(12)]
    write(tmp_path / 'in' / 'train.jsonl', *train)
    write(tmp_path / 'in' / 'test.jsonl.gz', *train[:3])
    flags = ('--text_column=body', '--label_column=y', '--validation_share=0')
    out = job(tmp_path / 'in', tmp_path / 'out', *flags)
    assert source_data.description(out)['class_names'] == ['0', '1']
    found = texts(out)
    for split, rows in (('train', train), ('test', train[:3])):
        for i, row in enumerate(rows):
            assert found[f'{split}/{i:06}'] == (str(int(row['y'])), row['body'])
    assert len(found) == 15


def test_what_cannot_be_used_is_rejected_by_name(tmp_path):
    bad = {
        'the line is no JSON object': [b'{"text": "cut\n', b'[1]\n', b'[' * 9999 + b'\n', UTF_16],
        'the line is not UTF-8': [b'\xff\n'],
        'the text is missing, or no string': [{'label': 'new'}, {'text': 5}],
        'the text is not UTF-8': [b'{"text": "\\ud800"}\n'],
        'the text is empty': [{'text': ' \n'}],
        'the object has a key more than once': [b'{"text": "x", "a": 1, "text": "y"}\n'],
        'the label is neither a string nor a whole number': [
            {'text': 'x', 'label': True},
            {'text': 'x', 'label': 1.5},
            {'text': 'x', 'label': ['a']},
        ],
        'the label is not UTF-8': [b'{"text": "x", "label": "\\ud800"}\n'],
    }
    lines = [line for group in bad.values() for line in group]
    path = write(tmp_path / 't.jsonl', *OBJECTS, *lines)
    out = job(path, tmp_path / 'out', '--max_rejected_share=0.9')
    assert texts(out) == expected(OBJECTS)
    reasons = [reason for reason, group in bad.items() for _ in group]
    found = {line['id']: line for line in rejected(out)}
    for i, reason in enumerate(reasons, start=len(OBJECTS)):
        line = found.pop(f'train/{i:06}')
        assert (line['reason'], line['place']) == (reason, f'object {i}')
    assert not found


@pytest.mark.parametrize(
    ('name', 'lines', 'flags', 'message'),
    [
        ('t.jsonl', [], (), 'is empty; name a file with objects'),
        ('t.jsonl', [b'label,text\n'], (), 'since the line is no JSON object; one object a line'),
        ('t.jsonl', [{'body': 'x'}], (), '--text_column=text: the first object of '),
        ('t.jsonl', [{'text': 'x'}], ('--label_column=y',), '--label_column=y: the first object'),
        ('t.jsonl', [{'text': 'x'}], ('--csv_columns=a',), '--csv_columns=a: is for csv: sources'),
        ('in/test.jsonl', [{'text': 'x'}], (), 'holds neither train.jsonl nor train.jsonl.gz'),
        ('other.jsonl', [{'text': 'x'}], (), 'no such file or folder'),
    ],
)
def test_refusals(tmp_path, capsys, name, lines, flags, message):
    write(tmp_path / name, *lines)
    source = tmp_path / ('in' if '/' in name else 't.jsonl')
    output = f'--output={tmp_path / "out"}'
    assert message in refusal(capsys, f'--source=jsonl:{source}', output, *FLAGS, *flags)


def test_a_damaged_gzip_is_refused(tmp_path, capsys):
    path = write(tmp_path / 't.jsonl.gz', *OBJECTS * 50)
    path.write_bytes(path.read_bytes()[:-20])
    message = refusal(capsys, f'--source=jsonl:{path}', f'--output={tmp_path / "out"}', *FLAGS)
    assert f'{path} cannot be read (' in message
