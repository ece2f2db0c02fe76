"""The choice of a source by its prefix, and what each takes."""

import dataclasses
import inspect

import pytest

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.registry import FLAGS, SOURCES, make_source
from pipelines.options import JobOptions


@pytest.mark.parametrize(
    ('source', 'kind', 'channels'),
    [
        ('images:a', 'image', 3),
        ('texts:a', 'text', 1),
        ('idx:a', 'image', 1),
        ('csv:a', 'text', 1),
        ('builtin:digits', 'image', 1),
    ],
)
def test_kinds(source, kind, channels):
    found = make_source(source)
    assert (found.kind, found.channels) == (kind, channels)


def test_a_path_may_hold_colons():
    assert make_source('csv:C:/a:b.csv').path == 'C:/a:b.csv'


@pytest.mark.parametrize(
    'source',
    ['', 'images', 'images:', 'tfds:', 'video:a', '/some/folder', 'builtin:', 'builtin:cats'],
)
def test_refuses_unknown_sources(source):
    with pytest.raises(LonghaulError) as caught:
        make_source(source)
    message = str(caught.value)
    assert message.startswith(f'--source={source}: images:DIR_OR_ZIP, texts:DIR_OR_ZIP, idx:DIR, ')
    assert message.endswith('name one of them')


@pytest.mark.parametrize(
    'source',
    ['images:gs://bucket/a', 'texts:gs://bucket/a', 'csv:https://host/a.csv', 'npy:gs://bucket/a'],
)
def test_refuses_remote_sources(source):
    with pytest.raises(LonghaulError) as caught:
        make_source(source)
    message = str(caught.value)
    assert message.startswith(f'--source={source}: sources are read as local files')
    assert message.endswith('--source=manifest:FILE')


def test_a_manifest_may_be_remote():
    with pytest.raises(LonghaulError, match='^--source=manifest:nosuch://b/a.csv: cannot be look'):
        make_source('manifest:nosuch://b/a.csv')


@pytest.mark.parametrize(
    ('flag', 'owners'),
    [
        ('text_column', 'csv:, jsonl: and tfds:'),
        ('label_column', 'csv:, jsonl:, manifest: and tfds:'),
        ('path_column', 'manifest:'),
        ('csv_columns', 'csv:'),
        ('class_names', 'csv:, jsonl:, manifest: and npy:'),
        ('data_dir', 'tfds:'),
        ('manual_dir', 'tfds:'),
    ],
)
@pytest.mark.parametrize('source', ['images:a', 'texts:a', 'idx:a', 'builtin:digits'])
def test_refuses_flags_of_other_sources(source, flag, owners):
    with pytest.raises(LonghaulError) as caught:
        make_source(source, {flag: 'a'})
    expected = f'--{flag}=a: is for {owners} sources, and the source is {source}; leave it out'
    assert str(caught.value) == expected


@pytest.mark.parametrize('kind', SOURCES)
def test_flags_are_arguments_of_what_makes_the_source(kind):
    assert set(SOURCES[kind].flags) <= set(inspect.signature(SOURCES[kind].make).parameters)


def test_every_flag_is_an_option_of_the_job():
    assert set(FLAGS) <= {field.name for field in dataclasses.fields(JobOptions)}
