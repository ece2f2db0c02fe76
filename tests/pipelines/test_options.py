"""The job's flags: checked, in one line, with the nearest name for a misspelt one."""

import dataclasses

import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

from pipelines import options
from pipelines.format.errors import LonghaulError

NEEDED = ['--source=builtin:digits', '--output=somewhere']


def refused(*flags):
    with pytest.raises(LonghaulError) as caught:
        options.parse([*NEEDED, *flags])
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_defaults():
    found, _ = options.parse(NEEDED)
    assert dataclasses.asdict(found) == {
        'source': 'builtin:digits',
        'output': 'somewhere',
        'image_size': None,
        'channels': None,
        'max_steps': None,
        'cut': None,
        'tokens': None,
        'vocabulary_size': None,
        'segment_steps': 300,
        'auxiliary_steps': None,
        'anchors_per_sequence': 1,
        'anchor_sets': 4,
        'seed': 0,
        'permutation_seed': None,
        'pixel_order': None,
        'steps_per_pixel': None,
        'trailing_steps': 0,
        'trailing': None,
        'limit': None,
        'labels': None,
        'validation_share': 0.1,
        'test_share': None,
        'shards': None,
        'max_rejected_share': 0.01,
        'text_column': None,
        'label_column': None,
        'path_column': None,
        'csv_columns': None,
        'delimiter': None,
        'class_names': None,
        'encoding': None,
        'data_dir': None,
        'manual_dir': None,
        'overwrite': False,
    }


def test_values_arrive_in_their_types():
    flags = ['--image_size', '28', '--validation_share=1e-1', '--seed=-3', '--overwrite']
    found, _ = options.parse([*NEEDED, *flags])
    assert (found.image_size, found.validation_share, found.seed) == (28, 0.1, -3)
    assert found.overwrite is True


def test_other_flags_are_beams():
    flags = ['--runner=DirectRunner', '--direct_num_workers=3', '--image_size=28']
    found, beam = options.parse([*NEEDED, *flags])
    assert found.image_size == 28
    assert beam.view_as(StandardOptions).runner == 'DirectRunner'
    assert beam.view_as(DirectOptions).direct_num_workers == 3


def test_the_runner_is_pinned():
    # Beam's default one downloads another runner first.
    _, beam = options.parse(NEEDED)
    assert beam.view_as(StandardOptions).runner == 'FnApiRunner'


@pytest.mark.parametrize(
    ('flag', 'nearest'),
    [
        ('--imagesize=8', 'image_size'),
        ('--segment_step=8', 'segment_steps'),
        ('--image-size=8', 'image_size'),
        ('--overwrit', 'overwrite'),
        ('--direct_num_worker=2', 'direct_num_workers'),
    ],
)
def test_a_misspelt_flag_is_refused_with_the_nearest(flag, nearest):
    assert refused(flag) == f'{flag}: no such flag; did you mean --{nearest}?'


@pytest.mark.parametrize(
    'name',
    [
        'image_size',
        'max_steps',
        'segment_steps',
        'auxiliary_steps',
        'anchors_per_sequence',
        'anchor_sets',
        'limit',
        'labels',
        'shards',
    ],
)
@pytest.mark.parametrize('value', [0, -1])
def test_counts_are_at_least_one(name, value):
    expected = f'--{name}={value}: a whole number of at least 1 is needed'
    assert refused(f'--{name}={value}') == expected


@pytest.mark.parametrize('value', [-1, 1_000_001])
def test_trailing_steps_are_none_or_so_many(value):
    expected = f'--trailing_steps={value}: a whole number in 0..1000000 is needed'
    assert refused(f'--trailing_steps={value}') == expected


@pytest.mark.parametrize('flags', [(), ('--trailing_steps=0',)])
def test_what_trails_needs_steps(flags):
    assert refused('--trailing=noise', *flags) == (
        '--trailing=noise: says what --trailing_steps appends, and that is missing or 0; add '
        '--trailing_steps=N, or leave it out'
    )


@pytest.mark.parametrize('value', ['zeros', 'Noise', ''])
def test_what_trails_is_blank_or_noise(value):
    expected = f'--trailing={value}: blank or noise is needed'
    assert refused('--trailing_steps=3', f'--trailing={value}') == expected


@pytest.mark.parametrize('name', ['validation_share', 'test_share', 'max_rejected_share'])
@pytest.mark.parametrize('value', ['-0.1', '1.1', 'nan', 'inf'])
def test_shares_are_shares(name, value):
    assert refused(f'--{name}={value}') == f'--{name}={value}: a share in 0..1 is needed'


@pytest.mark.parametrize('value', [0, 2, 4])
def test_channels_are_one_or_three(value):
    assert refused(f'--channels={value}') == f'--channels={value}: 1 or 3 is needed'


@pytest.mark.parametrize('value', ['words', 'character', ''])
def test_tokens_are_bytes_or_characters(value):
    assert refused(f'--tokens={value}') == f'--tokens={value}: bytes or characters is needed'


@pytest.mark.parametrize('value', [0, -1, 65536])
def test_a_vocabulary_fits_two_bytes(value):
    assert refused('--tokens=characters', f'--vocabulary_size={value}') == (
        f'--vocabulary_size={value}: a whole number in 1..65535 is needed, since ids are stored in '
        'two bytes'
    )


@pytest.mark.parametrize(
    ('flag', 'expected'),
    [
        ('--limit=ten', "argument --limit: invalid int value: 'ten'"),
        ('--limit=1.5', "argument --limit: invalid int value: '1.5'"),
        ('--validation_share=half', "invalid float value: 'half'"),
        ('--limit', 'argument --limit: expected one argument'),
        ('--direct_running_mode=fast', "argument --direct_running_mode: invalid choice: 'fast'"),
    ],
)
def test_values_of_another_type_are_refused(flag, expected):
    message = refused(flag)
    assert expected in message
    assert message.endswith('; see python -m pipelines.main --help')


@pytest.mark.parametrize('missing', [0, 1], ids=['source', 'output'])
def test_needed_flags(missing):
    with pytest.raises(LonghaulError) as caught:
        options.parse(NEEDED[1 - missing : 2 - missing])
    name = ('--source', '--output')[missing]
    assert str(caught.value).startswith(f'the following arguments are required: {name}; see')


def test_help_names_every_flag(capsys):
    with pytest.raises(SystemExit) as caught:
        options.parse(['--help'])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(options.JobOptions):
        assert f'--{field.name}' in text
