"""The page of several runs: groups that differ in their settings, means over seeds."""

from collections.abc import Callable

from pipelines.format.errors import LonghaulError
from tools.inspect import markup
from tools.report import curves, overview, settings
from tools.report.alike import groups_of
from tools.report.charts import COLOURS, Line, beside, chart, legend
from tools.report.page import frame
from tools.report.parts import Section, facts, folded, percent, section, table
from tools.report.run_files import RunFiles
from tools.reproduce.groups import Group


def page(runs: list[RunFiles]) -> str:
    """The runs compared, as HTML; each one folded at the end."""
    groups = groups_of(runs)
    said = f'{len(runs)} runs in {len(groups)} group{"s" * (len(groups) > 1)}'
    header = (
        f'<h1>{said}</h1><p class="lead">Runs of a group differ in their seed alone. Means are '
        'over the runs of a group, with the 95 % interval of the mean (Student) where there are '
        'several.</p>'
    )
    sections = [
        section('Groups', lambda: _groups(groups)),
        section('What differs', lambda: _differences(groups)),
        section('Learning', lambda: _learning(runs, groups)),
        section('Memory', lambda: _memory(runs, groups)),
        Section('Runs', _runs(runs, groups)),
    ]
    return frame(f'{said} - report', header, sections)


def name_of(number: int, group: Group) -> str:
    """A group's name: its letter, and what kind of model it is."""
    return f'{_letter(number)}: {group.gin_file}'


def _letter(number: int) -> str:
    """'A', ..., 'Z', 'AA', ..."""
    more, last = divmod(number, 26)
    return (_letter(more - 1) if more else '') + chr(ord('A') + last)


def _coloured(number: int, group: Group) -> str:
    return f'{_swatch(number)} {markup.name(name_of(number, group))}'


def _swatch(number: int) -> str:
    dashed = ' dashed' * (number >= COLOURS)
    return f'<i class="line{dashed}" style="--k:var(--c{number % COLOURS})"></i>'


def _groups(groups: list[Group]) -> str:
    head = ['group', 'seeds', 'test', 'lowest to highest', 'validation', 'memory', 'wall time']
    rows = []
    for number, group in enumerate(groups):
        tests = [line['test_accuracy'] for line in group.lines]
        ends = '-' if None in tests else f'{min(tests):.2%} to {max(tests):.2%}'
        rows.append(
            [
                _coloured(number, group),
                group.seeds,
                group.interval('test_accuracy'),
                ends,
                group.interval('validation_accuracy'),
                group.interval('memory'),
                group.wall_time,
            ]
        )
    return table('Groups of runs', head, rows)


def _differences(groups: list[Group]) -> str:
    """A row for each setting that differs, a column for each group."""
    values = [dict(p.partition('=')[::2] for p in group.params) for group in groups]
    names = list(dict.fromkeys(name for own in values for name in own))
    if not names:
        return '<p>The runs differ in nothing but their seeds.</p>'
    head = ['setting', *(name_of(number, group) for number, group in enumerate(groups))]
    rows = (
        [
            f'<code>{markup.text(n)}</code>',
            *(f'<code>{markup.text(v.get(n, "-"))}</code>' for v in values),
        ]
        for n in names
    )
    return table('Settings that differ', head, rows, left=len(head))


def _drawn(
    runs: list[RunFiles], groups: list[Group], line_of: Callable[[RunFiles, int], Line | None]
) -> list[Line]:
    """A line of each run that has one, in the colour of its group."""
    lines = []
    for number, group in enumerate(groups):
        for found in group.lines:
            line = line_of(runs[found['run']], number)
            if line is not None:
                lines.append(line)
    return lines


def _legend(groups: list[Group]) -> str:
    return legend([name_of(number, group) for number, group in enumerate(groups)])


def _learning(runs: list[RunFiles], groups: list[Group]) -> str:
    shown = []
    for title, (over, axes) in curves.ACCURACY_AXES.items():

        def line_of(run: RunFiles, number: int, over: str = over) -> Line | None:
            """Without the band: there are many runs."""
            return curves.accuracy(run, over=over, colour=number, band=False)

        lines = _drawn(runs, groups, line_of)
        if lines:
            shown.append(chart(title, lines, axes))
    if not shown:
        raise LonghaulError(
            'RUN: no run has a validation with labels; train with --mode=train_and_eval'
        )
    return beside(*shown) + _legend(groups)


def _memory(runs: list[RunFiles], groups: list[Group]) -> str:
    lines = _drawn(runs, groups, lambda run, number: curves.memory_line(run, colour=number))
    if not lines:
        raise LonghaulError('RUN: no evaluation has a memory curve; run --mode=eval')
    return beside(chart('Memory', lines, curves.MEMORY_AXES)) + _legend(groups)


def _runs(runs: list[RunFiles], groups: list[Group]) -> str:
    """A row for each run, which leads to its folded section."""
    rows, sections = [], []
    unique = len({run.name for run in runs}) == len(runs)
    for number, group in enumerate(groups):
        for line in group.lines:
            place, run = line['run'], runs[line['run']]
            accuracy = percent(line['test_accuracy'])
            name = markup.name(run.name if unique else run.folder)
            rows.append(
                [
                    f'<a href="#run-{place + 1}">{name}</a>',
                    _coloured(number, group),
                    str(line['seed']),
                    accuracy,
                    percent(line['validation_accuracy']),
                    f'{line["steps"]:,}',
                ]
            )
            summary = f'{name}: {_letter(number)}, seed {line["seed"]}, {accuracy}'
            content = (
                f'<p>{overview.model(run)}</p>{facts(overview.figures(run))}{settings.draw(run)}'
            )
            sections.append(folded(summary, content, anchor=f'run-{place + 1}'))
    head = ['run', 'group', 'seed', 'test', 'validation', 'steps']
    return table('Runs', head, rows, left=2) + ''.join(sections)
