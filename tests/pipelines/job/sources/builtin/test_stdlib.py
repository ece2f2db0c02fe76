"""builtin:stdlib, against the files of the Python that runs the test."""

import asyncio
import email
from pathlib import Path

import pytest
import source_data

from pipelines.job.sources.builtin import stdlib


@pytest.fixture(scope='module')
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp('stdlib') / 'out'
    flags = ('--source=builtin:stdlib', '--max_steps=4000', '--segment_steps=300')
    assert source_data.run_job(*flags, '--max_rejected_share=0.2', f'--output={folder}') == 0
    return folder


def test_files_are_documents_and_packages_are_classes(output):
    found = source_data.by_id(output)
    names = source_data.description(output)['class_names']
    for package in (asyncio, email):
        folder = Path(package.__file__).parent
        assert package.__name__ in names
        for path in sorted(folder.glob('*.py')):
            example = found.get(f'{folder.name}/{path.name}')
            if not path.read_bytes().strip():
                assert example is None
                continue
            assert names[example.label] == folder.name
            assert example.values == path.read_bytes()[:4000]


def test_empty_files_are_rejected_by_name(output):
    lines = source_data.rejected(output)
    assert {line['reason'] for line in lines} <= {'the text is empty'}
    library = Path(stdlib._root())
    assert all(not (library / line['id']).read_bytes().strip() for line in lines)
    assert len(lines) + len(source_data.by_id(output)) == len(stdlib._files())


def test_small_packages_and_tests_are_left_out(output):
    names = set(source_data.description(output)['class_names'])
    assert not names & {'test', 'site-packages', 'json', 'logging'}
    counts = source_data.description(output)['counts']
    assert counts['splits']['test'] > 0


def test_a_python_without_sources_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(stdlib, '_root', lambda: str(tmp_path))
    stdlib._files.cache_clear()
    try:
        message = source_data.refusal(
            capsys, '--source=builtin:stdlib', f'--output={tmp_path / "out"}'
        )
    finally:
        stdlib._files.cache_clear()
    assert message.startswith(f'--source=builtin:stdlib: {tmp_path} holds no source files; ')
