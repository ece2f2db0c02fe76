"""A tool's command as a user types it, in this process."""

import io
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest


class Typed(NamedTuple):
    """What a command has returned and printed."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line of a refusal."""
        assert self.code == 2, self
        assert not self.out
        assert self.err.startswith('error: ')
        assert self.err.count('\n') == 1, self.err
        assert self.err[:-1].isprintable()
        return self.err.strip()


def typed(
    main: Callable[[list[str]], int], capsys: pytest.CaptureFixture, *arguments: object
) -> Typed:
    capsys.readouterr()
    code = main([str(a) for a in arguments])
    return Typed(code, *capsys.readouterr())


def stdin_of(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(data)))
