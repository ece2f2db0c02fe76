"""Flags of all tools: parsers and checks that refuse in one line, without the usage."""

import argparse
import contextlib
import dataclasses
import math
import os
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any, NoReturn

from pipelines.format.errors import LonghaulError

# What a shell says of a command that was ended by SIGPIPE.
_UNREAD = 128 + 13


class Parser(argparse.ArgumentParser):
    """A parser of a tool's flags, which takes no abbreviated ones."""

    def __init__(self, prog: str, *, doc: str | None = None) -> None:
        """Makes a parser without flags.

        Args:
          prog: the command, such as 'python -m tools.predict'.
          doc: of the command's module; its first line describes the command.
        """
        description = doc.splitlines()[0] if doc else None
        super().__init__(prog, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Ends the process with exit code 2."""
        self.exit(2, f'error: {message.removeprefix("argument ")}; see --help\n')


def code_of(command: Callable[[], int], *, refused: int = 2) -> int:
    """Calls a command; returns its exit code, or prints why it refuses and returns `refused`.

    It ends quietly if nobody reads its output any more, as with `| head`.
    """
    try:
        code = command()
        sys.stdout.flush()
        return code
    except LonghaulError as error:
        print(f'error: {error}', file=sys.stderr)
        return refused
    except BrokenPipeError:
        # Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _UNREAD


def at_least(least: int, **values: int) -> None:
    """Refuses the first of some flags, by name, that is below `least`.

    Raises:
      LonghaulError: naming the flag and its value.
    """
    for name, value in values.items():
        if value < least:
            raise LonghaulError(f'--{name}={value}: a whole number of at least {least} is needed')


def above_zero(**values: float) -> None:
    """Refuses the first of some flags, by name, that is not a finite number above 0.

    Raises:
      LonghaulError: naming the flag and its value.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise LonghaulError(f'--{name}={value:g}: a number above 0 is needed')


def one_of(name: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Refuses the first of a flag's values that is not known.

    Raises:
      LonghaulError: naming the flag, the value and what is known.
    """
    for value in values:
        if value not in known:
            raise LonghaulError(f'--{name}={value}: name some of {", ".join(known)}')


def flag(text: str, default: Any = dataclasses.MISSING) -> Any:
    """A field of a dataclass that is a flag; without a default the flag is required.

    Args:
      text: for --help.
      default: of the field. A list makes a flag that is given once for each of its values.
    """
    about = {'help': text}
    if isinstance(default, list):
        return dataclasses.field(default_factory=default.copy, metadata=about)
    return dataclasses.field(default=default, metadata=about)


def add_flags(
    parser: argparse.ArgumentParser, options: type, *, without: Collection[str] = ()
) -> None:
    """Adds the flags of a dataclass to a parser, which then gives those that were typed alone.

    Args:
      parser: takes the flags.
      options: the dataclass; its flags are the fields made by `flag`.
      without: names of fields that are left out.
    """
    for field in dataclasses.fields(options):
        if 'help' not in field.metadata or field.name in without:
            continue
        text, default = field.metadata['help'], field.default
        required = default is field.default_factory is dataclasses.MISSING
        if default not in (dataclasses.MISSING, '', ()):
            text += f' (default {_said(default)})'
        settings = _KINDS[field.type] | {'required': required, 'default': argparse.SUPPRESS}
        parser.add_argument(f'--{field.name}', help=text, **settings)


def _said(default: Any) -> str:
    if isinstance(default, tuple):
        return ','.join(map(str, default))
    return f'{default:g}' if isinstance(default, float) else str(default)


def _whole(text: str) -> int:
    with _refused(text, 'a whole number is needed'):
        return int(text)


def _number(text: str) -> float:
    with _refused(text, 'a number is needed'):
        return float(text)


def _whole_numbers(text: str) -> tuple[int, ...]:
    with _refused(text, 'whole numbers are needed, such as 784,1024'):
        return tuple(int(part) for part in text.split(','))


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(',')))


@contextlib.contextmanager
def _refused(text: str, needed: str) -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r}: {needed}') from None


# By the type of a field, what argparse is told; several values have commas between them.
_KINDS: dict[Any, dict[str, Any]] = {
    str: {'type': str},
    int: {'type': _whole},
    float: {'type': _number},
    bool: {'action': argparse.BooleanOptionalAction},
    tuple[int, ...]: {'type': _whole_numbers},
    tuple[str, ...]: {'type': _names},
    list[str]: {'action': 'append'},
}
