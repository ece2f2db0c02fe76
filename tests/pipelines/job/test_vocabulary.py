"""Characters, against Python's own strings: which ones get an id, and which ids are written."""

import json
from collections import Counter

import numpy as np
import pytest
import source_data
from source_data import refusal, run_job

from pipelines.job.sources.builtin import stdlib
from pipelines.job.vocabulary import choose

FLAGS = (
    '--tokens=characters',
    '--auxiliary_steps=5',
    '--segment_steps=8',
    '--shards=3',
    '--validation_share=0.2',
    '--max_rejected_share=0.5',
)
# Combining accents, an emoji of several code points, other scripts, a byte order mark, controls.
PIECES = [
    *'etaoin \n',
    'é',
    'e\u0301',
    '👩\u200d💻',
    '漢',
    '字',
    '\ufeff',
    '\0',
    '\u3000',
    '\u2028',
]


def text(seed: int) -> str:
    random = np.random.RandomState(seed)
    shares = 1 / np.arange(1, len(PIECES) + 1)
    return 'x' + ''.join(random.choice(PIECES, random.randint(0, 40), p=shares / shares.sum()))


def write_documents(folder):
    """train.jsonl and test.jsonl; the most frequent characters by far are in none of the records.

    Some documents are rejected, and the snowmen are in the test split alone.
    """
    rows = [{'label': ('rain', 'sun')[i % 2], 'text': text(i)} for i in range(80)]
    rows += [{'label': 'fog', 'text': '☂' * 999}, {'label': 'sun', 'text': '\ud800' + '☔' * 999}]
    rows += [{'label': 'sun', 'text': ' ' * 9999}, {'label': 'sun', 'text': ''}]
    tests = [{'label': 'sun', 'text': text(1000 + i) + '☃' * 99} for i in range(9)]
    for name, found in (('train', rows), ('test', tests)):
        lines = [json.dumps(row) + '\n' for row in found]
        (folder / f'{name}.jsonl').write_text(''.join(lines))
    (folder / 'names.txt').write_text('rain\nsun\n')
    texts = {f'train/{i:06}': row['text'] for i, row in enumerate(rows)}
    return texts | {f'test/{i:06}': row['text'] for i, row in enumerate(tests)}


def most_frequent(texts, size: int) -> str:
    counts = Counter(''.join(texts))
    return ''.join(sorted(counts, key=lambda c: (-counts[c], ord(c)))[:size])


def numbers(found: str, vocabulary: str) -> list[int]:
    return [vocabulary.index(c) + 1 if c in vocabulary else 0 for c in found]


@pytest.mark.parametrize(
    ('flags', 'size', 'max_steps', 'kept'),
    [
        pytest.param((), 1000, None, 89, id='whole'),
        pytest.param(('--max_steps=7',), 1000, 7, 89, id='cut'),
        pytest.param(('--vocabulary_size=5',), 5, None, 89, id='few'),
        pytest.param(('--limit=9',), 1000, None, 26, id='limit'),
    ],
)
def test_ids_are_those_of_a_slow_oracle(tmp_path, capsys, flags, size, max_steps, kept):
    texts = write_documents(tmp_path)
    out = tmp_path / 'out'
    source = (f'--source=jsonl:{tmp_path}', f'--class_names={tmp_path / "names.txt"}')
    assert run_job(*source, *FLAGS, *flags, f'--output={out}') == 0
    stored = {s: source_data.by_id(out, s) for s in ('train', 'validation', 'test')}
    assert sum(map(len, stored.values())) == kept
    assert all(stored.values())
    assert list(out.glob('rejected-train-*')) or kept < 89
    cut = {i: texts[i][:max_steps] for split in stored.values() for i in split}
    expected = most_frequent([cut[i] for i in stored['train']], size)
    described = source_data.description(out)
    assert described['spec']['vocabulary'] == expected
    assert described['spec']['vocabulary_size'] == len(expected) + 1
    assert not set(expected) & set('☂☔☃')
    unknown = {}
    for split, found in stored.items():
        ids = {i: numbers(cut[i], expected) for i in found}
        for i, example in found.items():
            assert np.frombuffer(example.values, '<u2').tolist() == ids[i]
            assert example.length == len(ids[i])
        unknown[split] = sum(row.count(0) for row in ids.values())
    counted = {'characters': len(expected), 'unknown': unknown}
    assert described['counts']['vocabulary'] == counted
    assert json.loads((out / 'stats.json').read_text())['counts']['vocabulary'] == counted
    steps = described['counts']['steps']['train']
    line = (
        f'  vocabulary of {len(expected)} characters: {steps - unknown["train"]:,} of the {steps:,}'
    )
    assert line in capsys.readouterr().out


def test_bytes_that_are_no_utf8_are_replaced(tmp_path, monkeypatch):
    """The standard library's files are taken as they are; others are not asked for UTF-8."""
    data = {
        f'pack/{i:02}.py': b'a\xff\xfe' * i + b'\xe2\x82b\xc3\xa9\xed\xa0\x80' for i in range(25)
    }
    source_data.write_folder(tmp_path / 'library', data)
    monkeypatch.setattr(stdlib, '_root', lambda: str(tmp_path / 'library'))
    stdlib._files.cache_clear()
    try:
        code = run_job('--source=builtin:stdlib', *FLAGS, f'--output={tmp_path / "out"}')
    finally:
        stdlib._files.cache_clear()
    assert code == 0
    vocabulary = source_data.description(tmp_path / 'out')['spec']['vocabulary']
    assert sorted(vocabulary) == ['a', 'b', 'é', '\ufffd']
    for name, example in source_data.by_id(tmp_path / 'out').items():
        expected = numbers(data[name].decode('utf-8', 'replace'), vocabulary)
        assert np.frombuffer(example.values, '<u2').tolist() == expected


def test_equally_frequent_ones_are_in_the_order_of_their_code_points():
    counts = [(0x1F600, 2), (98, 2), (0xFFFD, 3), (97, 1), (99, 2)]
    for pairs in (counts, counts[::-1]):
        assert choose(pairs, 9) == '\ufffdbc😀a'
        assert choose(pairs, 2) == '\ufffdb'


def test_a_training_split_without_documents_is_refused(tmp_path, capsys):
    write_documents(tmp_path)
    flags = (*FLAGS, '--validation_share=1', f'--output={tmp_path / "out"}')
    message = refusal(capsys, f'--source=jsonl:{tmp_path}', *flags)
    assert message == (
        f'--source=jsonl:{tmp_path}: the training split holds no usable document to make a '
        'vocabulary of, with --validation_share=1.0 and --test_share=0.0; lower the shares, or use '
        '--tokens=bytes, which lists the rejected documents with the reasons'
    )
    assert not (tmp_path / 'out' / 'records.json').exists()
