"""Queue files: what a line says, and what is refused."""

import pytest

from pipelines.format.errors import LonghaulError
from tools.reproduce.budget import Budget, Rates, Steps, parse_budget, scale
from tools.reproduce.queue import read_queue


def entries(tmp_path, text):
    path = tmp_path / 'some.queue'
    path.write_text(text)
    return read_queue(path)


def test_a_line_is_one_run_per_seed(tmp_path):
    found = entries(
        tmp_path,
        '# a comment\n\n'
        'gin/mnist/a.gin --budget=5epochs --seeds=3,4 \'X.name="adam"\'  # more\n'
        'gin/best/b.gin --records=mnist --validation_only LEARNING_RATE=0.1\n',
    )
    assert [e.gin_file for e in found] == ['gin/mnist/a.gin'] * 2 + ['gin/best/b.gin']
    assert [e.params for e in found] == [
        ('X.name="adam"', 'SEED=3'),
        ('X.name="adam"', 'SEED=4'),
        ('LEARNING_RATE=0.1',),
    ]
    assert [e.seed for e in found] == [3, 4, 0]
    assert [e.records for e in found] == ['mnist'] * 3
    assert [e.budget for e in found] == [Budget(5, 'epochs')] * 2 + [None]
    assert [e.validation_only for e in found] == [False, False, True]


def test_values_with_bars_between_make_a_grid(tmp_path):
    found = entries(
        tmp_path,
        """a.gin --seeds=0,1 RATE=0.1|0.2 SIZE=3 'X.name="a|b"|"c"'\n""",
    )
    grid = [(rate, name) for rate in ('0.1', '0.2') for name in ('"a|b"', '"c"')]
    want = [
        (f'RATE={rate}', 'SIZE=3', f'X.name={name}', f'SEED={seed}')
        for rate, name in grid
        for seed in (0, 1)
    ]
    assert [e.params for e in found] == want
    (alone, *_) = entries(tmp_path, """a.gin RATE=0.1 SIZE=3 'X.name="a|b"' SEED=0\n""")
    assert alone.run == found[0].run, 'a run of a grid has the name that its line alone has'


def test_a_run_keeps_its_name_wherever_its_line_stands(tmp_path):
    """Golden: results that are committed are found by it."""
    one, two = entries(tmp_path, 'gin/mnist/a.gin\ngin/mnist/a.gin --budget=5epochs SEED=1\n')
    assert (one.run, two.name) == ('a682812807a2', 'a-5ed6dba1530e')
    (alone,) = entries(tmp_path, 'gin/mnist/a.gin SEED=1 --budget=5epoch\n')
    assert alone.run == two.run


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', ['names no run']),
        ('# nothing\n', ['names no run']),
        ('a.gin\na.gin\n', ['line 2', 'already']),
        ('a.gin --seeds=0,0\n', ['line 1', 'already']),
        ('a.gin --seeds=0,x\n', ['line 1', '--seeds=0,x', '--seeds=0,1']),
        ('a.gin --budget=5\n', ['line 1', '--budget=5', '5epochs']),
        ('a.gin --budget=0epochs\n', ['line 1', '--budget=0epochs']),
        ('a.gin --bugdet=5epochs\n', ['line 1', '--bugdet', '--budget=5epochs']),
        ('a.gin R=1|\n', ['line 1', "'R=1|'", 'A|B']),
        ('a.gin R=|1\n', ['A|B']),
        ('a.gin R=1||2\n', ['A|B']),
        ('a.gin R=1|1\n', ['A|B']),
        ('a.gin "N=\'a|b"\n', ['A|B']),
        ('a.gin SEED\n', ['line 1', 'SEED', 'NAME=VALUE']),
        ("a.gin 'open\n", ['line 1', 'quotation']),
        ('--seeds=0\n', ['line 1', 'gin_file']),
    ],
)
def test_refuses_with_the_line(tmp_path, text, words):
    with pytest.raises(LonghaulError) as error:
        entries(tmp_path, text)
    assert '\n' not in str(error.value)
    for word in ['some.queue', *words]:
        assert word in str(error.value)


def test_a_missing_queue_is_refused(tmp_path):
    with pytest.raises(LonghaulError, match='none.queue.*check the name'):
        read_queue(tmp_path / 'none.queue')


@pytest.mark.parametrize(
    ('asked', 'budget', 'left'),
    [
        (Steps(0, 1000), None, Steps(0, 1000)),
        (Steps(0, 1000), '5epochs', Steps(0, 50)),
        (Steps(200, 800), '5epochs', Steps(10, 40)),
        (Steps(200, 800), '200epochs', Steps(200, 800)),
        (Steps(0, 1000), '0.001epochs', Steps(0, 1)),
        # 200 steps at 2 a second and 800 at 4: 300 s.
        (Steps(200, 800), '2.5minutes', Steps(100, 400)),
        (Steps(200, 800), '6minutes', Steps(200, 800)),
        (Steps(0, 0), '1minute', Steps(0, 0)),
    ],
)
def test_a_budget_scales_both_phases_down_and_never_up(asked, budget, left):
    budget = None if budget is None else parse_budget(budget)
    assert scale(asked, budget, steps_per_epoch=10, rates=Rates(2.0, 4.0)) == left
