"""Table, JSON file and picture."""

import dataclasses
import json

import pytest

from tools.benchmark import results
from tools.benchmark.step import plot, report
from tools.benchmark.step.rows import Row

MB = 10**6


def make_row(length, implementation, model, seconds, megabytes, status='ok', **settings):
    peak = None if megabytes is None else megabytes * MB
    all_seconds = [] if seconds is None else [seconds]
    return Row(
        'step', model, implementation, length, 8, seconds, all_seconds, peak, status, settings
    )


ROWS = [
    make_row(784, 'longhaul', 'plain', 0.25, 100),
    make_row(784, 'longhaul', 'readout', 0.5, 200),
    make_row(784, 'keras3', 'full', 1.0, 1000),
    make_row(16384, 'longhaul', 'plain', 1.0, 100),
    make_row(16384, 'longhaul', 'readout', 2.0, 300),
    make_row(16384, 'keras3', 'full', None, 20000, 'out of memory'),
    make_row(
        65536, 'keras3', 'full', None, None, 'out of memory', not_started='not started: o at 16384'
    ),
]


def cells(rows):
    lines = report.table(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def test_table_compares_with_our_r_lstm():
    head, rules, *lines = cells(ROWS)
    names = ['length', 'implementation', 'model', 's/step', 'time', 'peak MB', 'memory', 'status']
    assert head == names
    assert set(''.join(rules)) == {'-', ':'}
    assert lines[0] == ['784', 'longhaul', 'plain', '0.250', '0.50', '100', '0.50', 'ok']
    assert lines[2] == ['784', 'keras3', 'full', '1.000', '2.00', '1,000', '5.00', 'ok']
    memory = ['>20,000', '>66.67', 'out of memory']
    assert lines[5] == ['16,384', 'keras3', 'full', '-', '-', *memory]
    assert lines[6][3:] == ['-', '-', '-', '-', 'not started: o at 16384']


@pytest.mark.parametrize(
    ('rows', 'line'),
    [
        (ROWS, ('longhaul', 'readout')),
        (ROWS[:1] + ROWS[2:3], ('longhaul', 'plain')),
        (ROWS[2:3], None),
        (
            [
                make_row(8, 'longhaul', 'sweep', 1.0, 1),
                make_row(8, 'products', 'products', 0.5, 1),
            ],
            ('products', 'products'),
        ),
    ],
)
def test_reference(rows, line):
    assert report.reference_line(rows) == line


def test_table_without_a_reference():
    assert cells(ROWS[2:3])[2][4:7] == ['-', '1,000', '-']


def test_json(tmp_path):
    path = tmp_path / 'rows.json'
    results.write(str(path), [dataclasses.asdict(row) for row in ROWS])
    found = json.loads(path.read_text())
    assert [p.name for p in tmp_path.iterdir()] == ['rows.json']
    assert [Row(**values) for values in found] == ROWS
    keys = 'command model implementation length batch seconds seconds_all peak_bytes status'
    assert list(found[0]) == [*keys.split(), 'settings']


def test_picture(tmp_path):
    path = tmp_path / 'rows.png'
    plot.draw(ROWS, str(path))
    assert path.read_bytes().startswith(b'\x89PNG\r\n\x1a\n')
    size = path.stat().st_size
    plot.draw([make_row(8, 'torch_full', 'full', None, None, 'not installed')], str(path))
    assert 1000 < path.stat().st_size < size
