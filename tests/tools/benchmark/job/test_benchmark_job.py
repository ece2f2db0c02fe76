"""`tools.benchmark job`: its arithmetic, its tables and blocks, and a real run of all parts."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.format.errors import LonghaulError
from tools.benchmark import __main__ as command
from tools.benchmark.job import inputs, measure, pairs, tables
from tools.benchmark.job import run as job
from tools.benchmark.job.pairs import Run, Workload

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('job --parts=speed,power', 'error: --parts=power: name some of speed, workers, memory'),
        ('job --scale=0', 'error: --scale=0: a number above 0 is needed'),
        ('job --repeats=0', 'error: --repeats=0: a whole number of at least 1 is needed'),
        ('job --lengths=3', 'error: unrecognized arguments: --lengths=3; see --help'),
    ],
)
def test_refuses_in_one_line(arguments, message, capsys):
    try:
        code = command.main(arguments.split())
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr().err
    assert (code, said) == (2, f'{message}\n')


@pytest.mark.parametrize('kind', list(inputs.INPUTS))
def test_inputs_are_the_same_files_every_time(kind, tmp_path):
    for name in 'ab':
        inputs.INPUTS[kind](tmp_path / name, 21)
    files = sorted(p.relative_to(tmp_path / 'a') for p in (tmp_path / 'a').rglob('*.*'))
    assert len(files) == 21
    assert len({(tmp_path / 'a' / f).read_bytes() for f in files}) == 21
    assert len({f.parts[0] for f in files}) == 10
    for f in files:
        assert (tmp_path / 'a' / f).read_bytes() == (tmp_path / 'b' / f).read_bytes()
    assert inputs.bytes_of(tmp_path / 'a') == sum(
        (tmp_path / 'a' / f).stat().st_size for f in files
    )


@pytest.mark.parametrize('side', [None, 7])
def test_the_plain_loop_writes_every_step(side, tmp_path):
    folder, output = tmp_path / 'in', str(tmp_path / 'out.tfrecord')
    (folder / 'b').mkdir(parents=True)
    pixels = np.random.RandomState(0).randint(0, 256, [7, 7, 3]).astype(np.uint8)
    path = folder / 'b' / 'x'
    Image.fromarray(pixels).save(path, 'PNG') if side else path.write_bytes(b'words ' * 200)
    told = {}
    measure.measure({'folder': str(folder), 'output': output, 'side': side}, told.update)
    assert told.keys() == {'imports', 'work', 'cpu', 'peak_bytes'}
    assert told['peak_bytes'] > 1e6
    (record,) = tf.data.TFRecordDataset(output).as_numpy_iterator()
    feature = tf.train.Example.FromString(record).features.feature
    expected = pixels.tobytes() if side else b'words ' * 200
    assert b''.join(feature['segments'].bytes_list.value) == expected
    assert feature['id'].bytes_list.value[0] == b'b/x'
    assert all(len(feature[f'{n}'].int64_list.value) == 4 for n in ('r_anchors', 'p_anchors'))


def run(work, *, imports=3.0, peak=1):
    return Run(whole=work + imports, imports=imports, work=work, cpu=work, peak_bytes=peak)


def test_a_ratio_above_one_says_that_the_job_is_faster():
    runs = [(run(4.0), run(2.0)), (run(6.0), run(2.0)), (run(5.0), run(2.5))]
    row = pairs.row_of(Workload('w', 'digits', 100, 28), 5_000_000, runs)
    assert row['work_ratios'] == [2.0, 3.0, 2.0]
    assert row['work_ratio'] == 2.0
    assert row['whole_ratios'] == [7 / 5, 9 / 5, 8 / 5.5]
    assert (row['job']['records_per_second'], row['plain']['megabytes_per_second']) == (50, 1)
    cells = tables.speed([row]).splitlines()[2].split(' | ')
    assert cells[1:9] == ['100', '5.0', '50', '2.5', '20', '1.0', '2.00', '2.00 to 3.00']


@pytest.mark.parametrize(
    ('two', 'expected'),
    [
        # 10 s + 1 s an item against 16 s + half a second: equal at 12 items.
        ((21.0, 26.0), 12.0),
        ((20.0, 30.0), None),
        # Faster everywhere.
        ((5.0, 5.5), 0.0),
    ],
)
def test_where_two_workers_begin_to_pay(two, expected):
    rows = [{'count': n, 'one': 10.0 + n, 'two': t} for n, t in zip((10, 20), two, strict=True)]
    assert pairs.crossing(rows) == expected


def test_a_document_without_a_block_is_refused_before_anything_is_measured(tmp_path):
    path = tmp_path / 'job.md'
    path.write_text('<!-- benchmark: machine -->\n<!-- end -->\n')
    with pytest.raises(LonghaulError, match='has no block <!-- benchmark: workers -->'):
        job.Options(parts=('workers',), docs=str(path))
    with pytest.raises(LonghaulError, match='none.md: No such file.*name a document'):
        job.Options(docs=str(tmp_path / 'none.md'))


def test_the_document_has_all_blocks():
    text = (ROOT / 'docs' / 'job.md').read_text()
    for name in ('machine', 'speed', 'workers', 'memory'):
        assert f'<!-- benchmark: {name} -->\n' in text
    assert text.count('<!-- end -->') == 4


@pytest.mark.long
def test_all_parts(tmp_path):
    rows, docs = tmp_path / 'rows.json', tmp_path / 'job.md'
    names = ('machine', 'speed', 'workers', 'memory')
    docs.write_text(''.join(f'<!-- benchmark: {name} -->\n<!-- end -->\n' for name in names))
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'tools.benchmark', 'job', '--scale=0.001', '--repeats=1'),
            *(f'--json={rows}', f'--docs={docs}'),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(rows.read_text())
    assert [row['name'] for row in found['speed']] == [
        'PNG 28x28, as it is',
        'JPEG 256x256, to 64x64',
        'documents',
    ]
    assert all(row['peak_bytes'] > 1e8 for row in found['memory'])
    assert all(entry['one'] > 0 for part in found['workers'] for entry in part['rows'])
    for name in ('speed', 'workers', 'memory'):
        assert docs.read_text().split(f'benchmark: {name} -->\n')[1].split('\n<!-- end')[0] in (
            done.stdout
        )
