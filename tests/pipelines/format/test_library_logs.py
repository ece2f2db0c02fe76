"""The log level of TensorFlow's libraries."""

import pytest

from pipelines.format import library_logs


@pytest.mark.parametrize(('asked', 'level'), [('3', 2), (None, 2), ('1', 1), ('x', 2)])
def test_warnings_are_silent_unless_asked_for(monkeypatch, asked, level):
    """The symbol is found in the TensorFlow that is installed."""
    monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL', raising=False)
    if asked is not None:
        monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', asked)
    library_logs.errors_alone()
    try:
        assert getattr(library_logs.library(), library_logs.GET)() == level
    finally:
        monkeypatch.undo()
        library_logs.errors_alone()
