"""Flags from dataclasses, and refusals in one line."""

import dataclasses
import os
import sys

import pytest

from pipelines.format.errors import LonghaulError
from tools import flags
from tools.flags import flag


@dataclasses.dataclass(frozen=True)
class Options:
    command: str
    place: str = flag('where')
    count: int = flag('how many', 3)
    share: float = flag('how much', 0.5)
    lengths: tuple[int, ...] = flag('how long', (1, 2))
    names: tuple[str, ...] = flag('which', ())
    param: list[str] = flag('repeatable', [])
    loud: bool = flag('how loud', True)


def parse(*arguments, without=()):
    parser = flags.Parser('prog', doc='What it does.\n\nMore.')
    flags.add_flags(parser, Options, without=without)
    return vars(parser.parse_args(arguments))


def test_a_reader_that_goes_away_ends_a_command_quietly(monkeypatch, capfd):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, 'w') as gone:
        monkeypatch.setattr(sys, 'stdout', gone)
        assert flags.code_of(lambda: print('x' * 10) or 0) == 141
    assert capfd.readouterr() == ('', '')


def test_what_was_typed_is_given_and_nothing_else():
    assert parse('--place=x') == {'place': 'x'}
    assert Options('step', **parse('--place=x')).param == []
    given = parse(
        *('--place=x', '--count=4', '--share=1', '--lengths=5,6', '--names=a, b,a'),
        *('--param=p=1', '--param=q=2', '--no-loud'),
    )
    assert given == {
        'place': 'x',
        'count': 4,
        'share': 1.0,
        'lengths': (5, 6),
        'names': ('a', 'b'),
        'param': ['p=1', 'q=2'],
        'loud': False,
    }


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'error: the following arguments are required: --place; see --help\n'),
        (['--place=x', '--count=y'], "error: --count: 'y': a whole number is needed; see --help\n"),
        (['--place=x', '--share=y'], "error: --share: 'y': a number is needed; see --help\n"),
        (['--place=x', '--cou=4'], 'error: unrecognized arguments: --cou=4; see --help\n'),
        (['--place=x', '--command=y'], 'error: unrecognized arguments: --command=y; see --help\n'),
    ],
)
def test_refuses_in_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(*arguments)
    assert (stopped.value.code, capsys.readouterr().err) == (2, message)


def test_a_field_can_be_left_out(capsys):
    with pytest.raises(SystemExit):
        parse('--place=x', '--count=4', without=('count',))
    assert 'unrecognized arguments: --count=4' in capsys.readouterr().err


def test_help_says_the_defaults(capsys):
    with pytest.raises(SystemExit):
        parse('--help')
    said = ' '.join(capsys.readouterr().out.split())
    assert 'What it does.' in said
    assert 'More.' not in said
    assert 'how many (default 3)' in said
    assert 'how long (default 1,2)' in said
    assert 'which --param' in said


def test_checks_name_the_flag():
    flags.at_least(1, steps=1)
    flags.above_zero(scale=0.1)
    flags.one_of('parts', ('a',), ('a', 'b'))
    with pytest.raises(LonghaulError, match='--steps=0: a whole number of at least 1 is needed'):
        flags.at_least(1, batch=1, steps=0)
    for value in (0.0, float('nan'), float('inf')):
        with pytest.raises(LonghaulError, match='--scale=.*: a number above 0 is needed'):
            flags.above_zero(scale=value)
    with pytest.raises(LonghaulError, match='--parts=c: name some of a, b'):
        flags.one_of('parts', ('a', 'c'), ('a', 'b'))


def test_a_refusal_is_a_line_and_a_code(capsys):
    def refuse():
        raise LonghaulError('--x=1: no')

    assert flags.code_of(lambda: 0) == 0
    assert flags.code_of(refuse) == 2
    assert flags.code_of(refuse, refused=1) == 1
    assert capsys.readouterr().err == 'error: --x=1: no\n' * 2
