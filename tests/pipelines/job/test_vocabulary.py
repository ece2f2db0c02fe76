"""Documents as characters: the vocabulary and the ids, against Python's own Counter and strings."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import source_data
from source_data import refusal, run_job

from pipelines.format import records

WORDS = ['naïve', 'Ärger', '日本語', '😀😀', 'cafe\u0301', 'plain words', 'x' * 30]
FLAGS = ('--tokens=characters', '--segment_steps=8', '--auxiliary_steps=5', '--max_steps=40')
SHARES = ('--test_share=0.2', '--validation_share=0.2', '--max_rejected_share=0.5')


def texts(count=60) -> dict[str, bytes]:
    """Texts with characters of their own, so that a split tells; some that are rejected."""
    found = {
        f'{("a", "b")[i % 2]}/{i:02}.txt': f'{chr(0x4E00 + i)} {WORDS[i % 7]} {i}'.encode()
        for i in range(count)
    }
    rejected = {'a/empty.txt': b'\n ', 'b/latin.txt': 'QQQ\xe9'.encode('latin1') * 9}
    return found | rejected | {'a/long.txt': ('é' * 50 + 'Ж').encode()}


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    return source_data.write_folder(tmp_path_factory.mktemp('texts') / 'in', texts())


def job(source: Path, output: Path, *flags: str) -> Path:
    assert run_job(f'--source=texts:{source}', f'--output={output}', *FLAGS, *SHARES, *flags) == 0
    return output


@pytest.fixture(scope='module')
def output(source, tmp_path_factory):
    return job(source, tmp_path_factory.mktemp('out') / 'records')


def expected_vocabulary(folder: Path, size: int = 1000) -> str:
    """By what is in the training split, and nothing else."""
    counts = Counter()
    for example in source_data.examples(folder, 'train'):
        counts.update(texts()[example.id.removeprefix('train/')].decode()[:40])
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], ord(pair[0])))
    return ''.join(character for character, _ in ordered[:size])


def check_ids(folder: Path, vocabulary: str) -> list[int]:
    """Ids of all examples are those of the vocabulary; returns how many are unknown, by split."""
    unknown = []
    for split in ('train', 'validation', 'test'):
        unknown.append(0)
        for example in source_data.examples(folder, split):
            text = texts()[example.id.removeprefix('train/')].decode()[:40]
            ids = np.frombuffer(example.values, '<u2').tolist()
            assert ids == [vocabulary.find(c) + 1 for c in text]
            assert example.length == len(text)
            unknown[-1] += ids.count(0)
    return unknown


def test_the_vocabulary_is_that_of_the_training_split(output):
    info = records.read_info(str(output))
    assert info.spec.vocabulary == expected_vocabulary(output)
    assert info.spec.vocabulary_size == len(info.spec.vocabulary) + 1
    assert (info.spec.tokens, info.spec.dtype) == ('characters', 'uint16')
    unknown = check_ids(output, info.spec.vocabulary)
    assert list(info.counts['unknown'].values()) == [
        unknown[('train', 'validation', 'test').index(split)] for split in info.counts['unknown']
    ]
    assert unknown[0] == 0
    assert unknown[1] + unknown[2] > 5, 'other splits have characters of their own'
    assert 'Q' not in info.spec.vocabulary, 'counted in a rejected text'
    assert 'Ж' not in info.spec.vocabulary, 'counted behind max_steps'


@pytest.mark.parametrize('size', [1, 7])
def test_the_most_frequent_are_kept(source, output, tmp_path, size):
    folder = job(source, tmp_path / 'records', f'--vocabulary_size={size}')
    info = records.read_info(str(folder))
    assert info.spec.vocabulary == expected_vocabulary(output, size)
    assert check_ids(folder, info.spec.vocabulary)[0] > 0


def test_only_what_is_kept_by_the_limit_is_counted(source, tmp_path):
    folder = job(source, tmp_path / 'records', '--limit=5')
    info = records.read_info(str(folder))
    assert info.counts['splits']['train'] <= 5
    assert info.spec.vocabulary == expected_vocabulary(folder)


def test_shards_and_place_change_no_id(source, output, tmp_path):
    """The same texts elsewhere give the same bytes; other shards the same vocabulary."""
    elsewhere = source_data.write_folder(tmp_path / 'b', dict(reversed(texts().items())))
    same = job(elsewhere, tmp_path / 'same')
    assert source_data.contents(same) == source_data.contents(output)
    many = job(source, tmp_path / 'many', '--shards=7')
    specs = [json.loads((folder / 'records.json').read_text())['spec'] for folder in (many, output)]
    assert specs[0] == specs[1]


def test_the_summary_says_how_many(source, tmp_path, capsys):
    job(source, tmp_path / 'records', '--vocabulary_size=7')
    said = capsys.readouterr().out
    info = records.read_info(str(tmp_path / 'records'))
    share = info.counts['unknown']['train'] / info.counts['steps']['train']
    assert f'vocabulary of 7 characters; {share:.3%} of the training steps are none of them' in said


@pytest.mark.parametrize(
    ('flags', 'word'),
    [
        (['--tokens=words'], '--tokens=words: bytes or characters is needed'),
        (['--vocabulary_size=9'], '--vocabulary_size=9: is for --tokens=characters'),
        (['--tokens=characters', '--vocabulary_size=0'], '--vocabulary_size=0'),
        (['--tokens=characters', '--vocabulary_size=65536'], 'at most 65535'),
    ],
)
def test_refusals(source, tmp_path, capsys, flags, word):
    assert word in refusal(capsys, f'--source=texts:{source}', f'--output={tmp_path}', *flags)


def test_images_have_no_tokens(tmp_path, capsys):
    flags = ('--source=builtin:digits', '--tokens=bytes', f'--output={tmp_path}')
    assert '--tokens=bytes: builtin:digits holds images' in refusal(capsys, *flags)
