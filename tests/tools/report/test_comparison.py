"""Several runs: grouped by what differs but for the seed, means over the seeds."""

import json
import re
import statistics
from pathlib import Path

import pytest
import small_data
from typed import typed

from pipelines.format.spec import SequenceSpec
from tools.report import __main__ as command
from tools.report.alike import groups_of
from tools.report.comparison import _letter
from tools.report.run_files import read_run
from trainer import bindings
from trainer.run_dir.folder import ModelDir
from trainer.run_dir.same_run import check_same_run

TESTS = {'r': (0.9, 0.8, 0.85), 'plain': (0.5, 0.4)}
HOSTILE = '<script>alert(1)'


def write_run(folder: Path, *, seed: int, weight: float, test: float, records: str = 'here') -> str:
    """The small files of a run that never trained."""
    run = ModelDir(str(folder))
    run.create()
    params = [f'RunConfig.seed={seed}', f'ObjectiveConfig.reconstruction_weight={weight}']
    config = bindings.load(gin_files=[], gin_params=[*small_data.TINY_RUN, *params], records='here')
    check_same_run(run, config, change=False)
    run.remember_command([f'{HOSTILE}.gin'], params, 'c0ffee')
    run.remember_data(SequenceSpec('image', image_size=4), ('a', HOSTILE), {'test': records})
    curve = {'distances': [1, 2], 'explained': [None, test / 2], 'total': test / 2}
    evaluation = {'accuracy': test, 'accuracy_low': test - 0.1, 'accuracy_high': test + 0.1}
    evaluation |= {'labelled': 50, 'global_step': 9, 'memory_curve': curve}
    (folder / 'evaluation-test.json').write_text(json.dumps(evaluation))
    (folder / 'result.json').write_text(json.dumps({'seconds': 60 + seed, 'steps': 9}))
    line = {'step': 9, 'accuracy': test, 'labelled': 50, 'seconds': 30.0}
    (folder / 'validations.jsonl').write_text(json.dumps(line) + '\n')
    return str(folder)


@pytest.fixture
def runs(tmp_path) -> list[str]:
    weights = {'r': 2.0, 'plain': 0.0}
    return [
        write_run(tmp_path / f'{kind}{seed}', seed=seed, weight=weights[kind], test=test)
        for kind, tests in TESTS.items()
        for seed, test in enumerate(tests)
    ]


def test_runs_that_differ_in_their_seed_alone_are_a_group(runs):
    found = groups_of([read_run(run) for run in reversed(runs)])
    assert [group.gin_file for group in found] == ['LSTM', 'r-LSTM']
    assert found[1].params == ('ObjectiveConfig.reconstruction_weight=2.0',)
    assert [line['seed'] for line in found[1].lines] == [0, 1, 2]
    for group, tests in zip(found, (TESTS['plain'], TESTS['r']), strict=True):
        assert group.mean('test_accuracy') == pytest.approx(statistics.fmean(tests))
        assert group.mean('memory') == pytest.approx(statistics.fmean(tests) / 2)


def test_other_data_are_another_group(runs, tmp_path):
    other = write_run(tmp_path / 'other', seed=7, weight=2.0, test=0.1, records='there')
    found = groups_of([read_run(run) for run in (*runs, other)])
    assert [len(group.lines) for group in found] == [3, 2, 1]
    assert 'data=' in found[2].params[-1]


def test_the_page_has_the_means_and_each_run(runs, tmp_path, capsys):
    path = tmp_path / 'page.html'
    done = typed(command.main, capsys, *runs, runs[0], f'--html={path}')
    assert done.code == 0
    page = path.read_text()
    assert '<h1>5 runs in 2 groups</h1>' in page
    # Student's t for three values and for two.
    half = 4.303 * statistics.stdev(TESTS['r']) / 3**0.5
    assert f'<td class="n">85.0% ± {100 * half:.1f}<td class="n">80.00% to 90.00%' in page
    assert '45.0% ± 63.5<td class="n">40.00% to 50.00%' in page
    assert '<td class="n">1:01<tr>' in page, 'the mean wall time of three runs'
    for number in range(1, 6):
        assert page.count(f'href="#run-{number}"') == page.count(f'id="run-{number}"') == 1
    # The table has two groups of one colour each, and a line of each run in the charts.
    lines = re.findall(r'fill: none; stroke: var\(--c(\d)\)', page)
    assert {n: lines.count(n) for n in lines} == {'0': 3 * 3, '1': 3 * 2}
    assert '<script' not in page
    assert '&lt;script&gt;alert(1).gin' in page


def test_a_run_without_a_test_leaves_the_mean_open(runs, tmp_path, capsys):
    (Path(runs[0]) / 'evaluation-test.json').unlink()
    path = tmp_path / 'page.html'
    assert typed(command.main, capsys, *runs, f'--html={path}').code == 0
    groups = path.read_text()
    row = groups[groups.index('A: r-LSTM</bdi>') :].partition('<tr>')[0]
    assert re.findall(r'<td class="n">([^<]*)', row)[:3] == ['0, 1, 2', '-', '-']


def test_letters_go_on_behind_z():
    assert [_letter(n) for n in (0, 25, 26, 27, 702)] == ['A', 'Z', 'AA', 'AB', 'AAA']
