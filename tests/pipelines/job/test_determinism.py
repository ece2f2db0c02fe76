"""The same bytes of every file: however the input lies, whoever runs the job, and after a kill."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import source_data
from source_data import IMAGE_FLAGS, documents, encode_image, exif, picture_files, pixels, run_job

ROOT = Path(__file__).parents[3]
FLAGS = ('--shards=2', '--validation_share=0.2', '--max_rejected_share=0.2')
IMAGES = (*IMAGE_FLAGS, *FLAGS)
TABLES = ('--auxiliary_steps=5', '--segment_steps=8', *FLAGS)


def pictures() -> dict[str, bytes]:
    """Some of another size (they are resized in float), one to be turned, two that are rejected."""
    resized = {f'dog/large{i}.jpg': encode_image(pixels(i, 9, 7), 'JPEG') for i in range(6)}
    turned = {'cat/turned.jpg': encode_image(pixels(0, 9, 7), 'JPEG', exif=exif(6))}
    bad = {'cat/cut.jpg': encode_image(pixels(0), 'JPEG')[:-40], 'cat/bad.png': b'bad'}
    return picture_files() | resized | turned | bad


def write_inputs(root: Path) -> Path:
    source_data.write_folder(root / 'images', pictures())
    source_data.write_csv(root / 'table.csv', [*documents(), ['too', 'many', 'columns']])
    return root


def outputs(root: Path, into: Path, *flags: str) -> dict[str, dict[str, bytes]]:
    """All jobs; file name -> bytes of each."""
    jobs = {'images': (f'images:{root / "images"}', IMAGES)}
    jobs['table'] = (f'csv:{root / "table.csv"}', TABLES)
    jobs['characters'] = (f'csv:{root / "table.csv"}', (*TABLES, '--tokens=characters'))
    for name, (source, own) in jobs.items():
        assert run_job(f'--source={source}', f'--output={into / name}', *own, *flags) == 0
    return {name: source_data.contents(into / name) for name in jobs}


@pytest.fixture(scope='module')
def expected(tmp_path_factory):
    root = tmp_path_factory.mktemp('determinism')
    return outputs(write_inputs(root / 'in'), root / 'out')


def test_the_jobs_hold_what_could_differ(expected):
    """Several shards, splits and classes, resized and rejected items: else nothing is proved."""
    for name, count, bad in (('images', 31, 2), ('table', 40, 1), ('characters', 40, 1)):
        described = json.loads(expected[name]['records.json'])
        assert sum(described['counts']['splits'].values()) == count
        assert described['counts']['rejected'] == bad
        assert len(described['class_names']) == 2
        assert len([n for n in expected[name] if n.endswith('.tfrecord')]) == 4
        assert any(n.startswith('rejected-') for n in expected[name])


def test_nothing_says_where_or_when(expected, tmp_path):
    for files in expected.values():
        for name, data in files.items():
            for word in (bytes(tmp_path.parent), b'determinism', os.uname().nodename.encode()):
                assert word not in data, name


def test_checksums_are_those_of_the_files(expected):
    for files in expected.values():
        for shards in json.loads(files['records.json'])['shards'].values():
            for shard in shards:
                for key, suffix in (('sha256', 'tfrecord'), ('index_sha256', 'index')):
                    data = files[f'{shard["name"]}.{suffix}']
                    assert shard[key] == hashlib.sha256(data).hexdigest()


def test_again_from_another_place_with_files_made_in_reverse(expected, tmp_path, monkeypatch):
    root = tmp_path / 'a much longer' / 'place'
    source_data.write_folder(root / 'images', dict(reversed(pictures().items())))
    rows = [*documents(), ['too', 'many', 'columns']]
    source_data.write_csv(root / 'table.csv', rows)
    # Some file systems list in the order of creation, others by a hash; walk backwards for sure.
    original = os.walk

    def walk(top, **settings):
        for folder, folders, files in original(top, **settings):
            folders.reverse()
            yield folder, folders, files[::-1]

    monkeypatch.setattr(os, 'walk', walk)
    assert outputs(root, tmp_path / 'out') == expected


def test_items_that_arrive_in_another_order(expected, tmp_path, monkeypatch):
    """What other runners do: the same items, in any order and any number of bundles."""
    from pipelines.job import graph

    original = graph._listed
    monkeypatch.setattr(graph, '_listed', lambda *a: reversed(list(original(*a))))
    assert outputs(write_inputs(tmp_path / 'in'), tmp_path / 'out') == expected


# In a process of its own, whose order of sets and dicts follows PYTHONHASHSEED. Then a job that
# dies, as by kill -9, while it replaces the finished records of the first one.
CHILD = """
import os, sys
from pathlib import Path
import test_determinism
from pipelines.job import graph

root, out = Path(sys.argv[1]), Path(sys.argv[2])
test_determinism.outputs(root, out)
print('hash', hash('a'), flush=True)
os.rename(out / 'table', out / 'finished')
original, calls = graph.write_shard, []
def write_shard(*arguments):
    calls.append(arguments)
    if len(calls) == 3:
        os._exit(9)
    return original(*arguments)
graph.write_shard = write_shard
test_determinism.outputs(root, out, '--overwrite')
"""


def child(root: Path, out: Path, seed: str) -> subprocess.Popen:
    paths = [ROOT, ROOT / 'tests' / 'support', Path(__file__).parent]
    return subprocess.Popen(
        [sys.executable, '-c', CHILD, str(root), str(out)],
        env=os.environ
        | {
            'PYTHONHASHSEED': seed,
            'PYTHONPATH': os.pathsep.join(map(str, paths)),
            'CUDA_VISIBLE_DEVICES': '',
        },
        cwd=out.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_another_hash_seed_and_a_kill(expected, tmp_path):
    root, out = write_inputs(tmp_path / 'in'), tmp_path / 'out'
    # One of the two is not this process's.
    seed = next(s for s in ('1', '2') if s != os.environ.get('PYTHONHASHSEED'))
    process = child(root, out, seed)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 9, stderr
    assert f'hash {hash("a")}' not in stdout.splitlines()
    assert stdout.count('hash ') == 1
    assert source_data.contents(out / 'finished') == expected['table']
    # Some shards are there, and nothing that says that all of them are.
    killed = out / 'images'
    assert 0 < len(list(killed.glob('*.tfrecord'))) < 4
    assert not {'records.json', 'stats.json'} & set(source_data.contents(killed))
    # The same command again, this time to the end.
    assert run_job(f'--source=images:{root / "images"}', f'--output={killed}', *IMAGES) == 0
    assert source_data.contents(killed) == expected['images']


@pytest.mark.long
def test_two_processes_of_the_direct_runner(expected, tmp_path):
    flags = (
        '--runner=DirectRunner',
        '--direct_running_mode=multi_processing',
        '--direct_num_workers=2',
    )
    assert outputs(write_inputs(tmp_path / 'in'), tmp_path / 'out', *flags) == expected


@pytest.mark.long
def test_two_threads_of_the_direct_runner(expected, tmp_path):
    flags = (
        '--runner=DirectRunner',
        '--direct_running_mode=multi_threading',
        '--direct_num_workers=2',
    )
    assert outputs(write_inputs(tmp_path / 'in'), tmp_path / 'out', *flags) == expected
