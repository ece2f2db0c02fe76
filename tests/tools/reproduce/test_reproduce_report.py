"""Reports: grouped by seed, chosen on validation, filled into documents."""

import re
from pathlib import Path

import pytest

from pipelines.format.errors import LonghaulError
from tools.reproduce import lines, paper, plot, report, sweep, tables
from tools.reproduce.groups import best_within, finished_groups
from tools.reproduce.queue import read_queue

GIN = Path(__file__).parents[3] / 'gin'


def ended(run, *, method='lstm_300', params=(), seed=0, epochs=5.0, seconds=60.0, accuracies=None):
    validation, test = accuracies or (0.8, 0.7)
    return {
        'kind': 'run',
        'run': run,
        'gin_file': f'gin/mnist/{method}.gin',
        'params': [*params, f'SEED={seed}', 'RunConfig.train_steps=7', 'RunConfig.eval_interval=9'],
        'seed': seed,
        'budget': '5epochs',
        'asked_epochs': 100.0,
        'commit': 'abc',
        'epochs': epochs,
        'seconds': seconds,
        'finished': True,
        'validation_accuracy': validation,
        'test_accuracy': test,
        'test_interval': [test - 0.01, test + 0.01],
    }


def test_runs_that_differ_in_their_seed_alone_are_a_group():
    found = [
        ended('a', seed=1, accuracies=(0.8, 0.7)),
        ended('b', seed=0, accuracies=(0.6, 0.9)),
        ended('c', params=['LEARNING_RATE=1']),
        {**ended('d'), 'finished': False},
    ]
    one, two = finished_groups(found)
    assert [line['run'] for line in one.lines] == ['b', 'a']
    assert (one.params, two.params) == ((), ('LEARNING_RATE=1',))
    assert one.mean('test_accuracy') == pytest.approx(0.8)
    assert one.spread('test_accuracy') == '80.00% (70.00% to 90.00%)'
    assert two.spread('test_accuracy') == '70.00%'


def test_the_best_within_a_budget_is_chosen_on_validation():
    found = [
        ended('a', params=['X=1'], seconds=100, accuracies=(0.8, 0.5)),
        ended('b', params=['X=2'], seconds=100.9, accuracies=(0.7, 0.9)),
        ended('c', params=['X=3'], seconds=200, accuracies=(0.9, 0.6)),
    ]
    groups = finished_groups(found)
    assert best_within(groups, value='seconds', limit=100).params == ('X=1',)
    assert best_within(groups, value='seconds', limit=200).params == ('X=3',)
    assert best_within(groups, value='seconds', limit=50) is None
    table = tables.budget_table(found, 'seconds').splitlines()
    assert len(table) == 4, 'one row for 2 minutes, one for 5; larger budgets change nothing'
    assert table[2].startswith('| 2 minutes | 50.00%')
    assert table[3].startswith('| 5 minutes | 60.00%')


def test_a_sweep_has_a_row_for_each_setting_the_best_first(tmp_path):
    found = [
        ended('a', params=['R=1', 'B=8'], seed=0, accuracies=(0.80, 0.70)),
        ended('b', params=['R=1', 'B=8'], seed=1, accuracies=(0.82, 0.74)),
        ended('c', params=['R=2', 'B=8'], seed=0, accuracies=(0.9, 0.6)),
        {**ended('d', params=['R=3', 'B=8']), 'finished': False},
    ]
    head, _, *rows = sweep.sweep_table(found).splitlines()
    assert head == '| R | seeds | validation: mean, spread | test: mean, spread | wall time |'
    assert rows == [
        '| 2 | 1 | 90.00% | 60.00% | 1:00 |',
        '| 1 | 2 | 81.00% ± 1.41 | 72.00% ± 2.83 | 1:00 |',
    ]
    with pytest.raises(LonghaulError, match='no run of .*some.queue has finished'):
        sweep.show([Path('some.queue')], results=tmp_path)
    for line in found:
        lines.append(tmp_path / 'some.jsonl', line)
    assert '| 2 ' in sweep.show([Path('some.queue')], results=tmp_path)


def truncated(run, bptt_steps, *, steps=9, more=(), **ending):
    params = [f'BPTT_STEPS={bptt_steps}', *more]
    return {**ended(run, params=params, **ending), 'steps': steps, 'records': 'some'}


def test_a_curve_over_truncations_has_the_best_on_validation_of_equal_steps(tmp_path):
    found = [
        truncated('a', 100, accuracies=(0.8, 0.7)),
        truncated('b', 0, accuracies=(0.3, 0.2)),
        truncated('c', 9, accuracies=(0.6, 0.5)),
        truncated('d', 9, more=['X=1'], accuracies=(0.5, 0.9)),
        truncated('e', 9, more=['X=2'], steps=18, accuracies=(0.9, 0.9)),
        truncated('i', 9, more=['ObjectiveConfig.replication_weight=1.0'], accuracies=(1.0, 1.0)),
        truncated('f', 0, method='r_lstm_300', accuracies=(0.9, 0.9)),
        truncated('g', 9, method='r_lstm_300', accuracies=(0.9, 0.9)),
        {**truncated('h', 50), 'records': 'others'},
    ]
    curves = plot.truncation_curves(found)
    assert list(curves) == ['some'], 'one truncation is no curve'
    assert list(curves['some']) == ['lstm_300'], 'nor are two'
    points = curves['some']['lstm_300']
    tests = {s: group.mean('test_accuracy') for s, group in points.items()}
    assert list(tests.items()) == [(0, 0.2), (9, 0.5), (100, 0.7)]
    again = [truncated('j', '77 ', more=['BPTT_STEPS = 50']), truncated('k', '%STEPS')]
    points = plot.truncation_curves(found + again)['some']['lstm_300']
    assert list(points) == [0, 9, 50, 100], 'gin takes the last value, and macros are no number'
    plot.draw_truncations(found, tmp_path / 'curves.png')
    assert (tmp_path / 'curves.png').stat().st_size > 5000


QUEUE = """# some
gin/mnist/lstm_300.gin --budget=5epochs --seeds=0,1
gin/mnist/r_lstm_300.gin --budget=5epochs
gin/mnist/p_lstm_300.gin
"""


@pytest.fixture
def folder(tmp_path):
    """A queue of four runs: one finished, one at work, one failed, one not run."""
    (tmp_path / 'docs').mkdir()
    queue = tmp_path / 'some.queue'
    queue.write_text(QUEUE)
    runs = [entry.run for entry in read_queue(queue)]
    path = tmp_path / 'some.jsonl'
    for step in (9, 18):
        accuracy = {'step': step, 'epochs': step / 9, 'validation_accuracy': step / 20}
        for run in runs[:2]:
            line = {**ended(run), 'kind': 'epoch', 'finished': False, 'test_accuracy': None}
            lines.append(path, {**line, 'test_interval': None, **accuracy})
    lines.append(path, ended(runs[0]))
    failed = {'kind': 'run', 'run': runs[2], 'finished': False, 'error': 'exit code 2: NaN'}
    lines.append(path, {**failed, 'seconds': 70})
    return tmp_path


def test_every_run_of_a_queue_has_a_row(folder, monkeypatch):
    monkeypatch.chdir(GIN.parent)
    entries, found = read_queue(folder / 'some.queue'), lines.read(folder / 'some.jsonl')
    rows = tables.runs_table(entries, found).splitlines()[2:]
    want = [
        '0 | 5 of 100 | 1:00 | 80.00% | 70.00% (69.00% to 71.00%) | 11.3 % on test | `abc` |',
        '1 | 2, unfinished | 1:00 | 90.00% | - | 11.3 % on test | `abc` |',
        '0 | - | 1:10 | failed: exit code 2: NaN | - | - | - |',
        '0 | not run | - | - | - | 95.4 % on test | - |',
    ]
    assert [row.split(' | ', 1)[1] for row in rows] == want
    assert rows[0].startswith('| `gin/mnist/lstm_300.gin` --budget=5epochs |')


def test_blocks_are_filled_and_what_stands_around_them_stays(folder, monkeypatch):
    monkeypatch.chdir(GIN.parent)
    page = folder / 'docs' / 'page.md'
    of_a_queue = ('runs', 'epochs', 'seconds', 'plot', 'truncations', 'times')
    kinds = [*(f'{kind} some' for kind in of_a_queue), 'paper']
    blocks = (f'<!-- results: {kind} -->\nold\n<!-- end -->\n' for kind in kinds)
    page.write_text('before\n' + '\nbetween\n'.join(blocks) + 'after\n')
    (folder / 'docs' / 'other.md').write_text('no block\n')
    assert report.report(results=folder, docs=folder / 'docs') == [page]
    text = page.read_text()
    assert text.startswith('before\n')
    assert text.endswith('after\n')
    assert text.count('between') == 6
    assert 'old' not in text
    for suffix in ('', '_times'):
        assert (folder / 'docs' / f'results_some{suffix}.png').stat().st_size > 5000
    row = next(x for x in text.splitlines() if x.startswith('| LSTM, truncation 300 |'))
    assert (
        row == '| LSTM, truncation 300 | 11.3 | **70.0** (1 seed, 5 epochs) | 88.8 | - | 49.0 | - |'
    )
    assert '| `gin/mnist/lstm_300.gin` | 11.3 % on test | 70.00% | 5, 1:00' in text
    assert re.search('Not run to the end yet: .*`gin/mnist/p_lstm_300.gin`', text)
    report.report(results=folder, docs=folder / 'docs')
    assert page.read_text() == text


@pytest.mark.parametrize(
    ('block', 'words'),
    [
        ('runs none', 'none.queue'),
        ('raws some', 'one of paper'),
        ('means some mnist minst', 'minst: no run of some.queue is about it; name some of mnist'),
        ('times some minst', 'minst: no run of some.queue is about it'),
    ],
)
def test_a_block_that_cannot_be_filled_is_named(folder, block, words):
    (folder / 'docs' / 'page.md').write_text(f'<!-- results: {block} -->\n<!-- end -->\n')
    with pytest.raises(LonghaulError, match=f"page.md, block '{block}'.*{words}"):
        report.report(results=folder, docs=folder / 'docs')


def test_the_papers_numbers_are_those_of_its_table():
    """Trinh et al. 2018, table 2."""
    found = {e.gin_file: e.paper for e in paper.read_experiments(GIN)}
    want = {
        'lstm_full': (98.3, 89.4, 58.8),
        'lstm_300': (11.3, 88.8, 49.0),
        'r_lstm_300': (96.4, 92.8, 65.9),
        'p_lstm_300': (95.4, 92.5, 64.7),
        'r_lstm_full': (98.4, 95.2, 72.2),
        'p_lstm_full': (98.0, 92.8, 67.6),
        'transformer': (98.9, 97.9, 62.2),
    }
    for name, numbers in want.items():
        for data, number in zip(('mnist', 'pmnist', 'cifar10'), numbers, strict=True):
            assert found[str(GIN / data / f'{name}.gin')] == f'{number} % on test', (data, name)
    assert found[str(GIN / 'mnist' / 'rp_lstm_300.gin')] == 'never tried'
