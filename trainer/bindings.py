"""Reads gin files and bindings into the dataclasses of `trainer.config`.

A misspelt name is refused; the message names the nearest known one.
"""

import contextlib
import dataclasses
import difflib
import logging
import os
import re
import tokenize
import typing
from collections.abc import Iterator

import gin

from pipelines.format.errors import LonghaulError, first_line
from trainer import config
from trainer.config import Config

# What gin raises for a file that it cannot read, or whose values do not fit.
_MISTAKES = (
    ValueError,
    TypeError,
    SyntaxError,
    tokenize.TokenError,
    RuntimeError,
    KeyError,
    AttributeError,
    ImportError,
    MemoryError,
)
# Where gin/ lies: beside this package in a checkout, and where setup.py installs it.
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INSTALLED = (_ROOT, os.path.join(_ROOT, 'longhaul', 'share'))
_PYTHON_WORDS = {'true': 'True', 'false': 'False', 'none': 'None', 'null': 'None'}
_HOW_TO_GIVE = {'RECORDS': '--records=DIR (the --output of python -m pipelines.main)'}


def _parameters() -> list[str]:
    """All names that can be bound: 'RunConfig.seed', ..."""
    classes = typing.get_type_hints(Config).values()
    return [f'{c.__name__}.{f.name}' for c in classes for f in dataclasses.fields(c)]


def load(*, gin_files: list[str], gin_params: list[str], records: str | None = None) -> Config:
    """Parses gin files, then single bindings, and resolves them.

    Args:
      gin_files: experiment files; a file may include others, relative to the working folder, to
        itself or to the folders above it. Longhaul's own (gin/...) are found from any folder.
      gin_params: bindings such as 'RunConfig.train_steps=1000', or of a file's macros such as
        'TRAIN_STEPS=1000'; they win over the files.
      records: binds the macro RECORDS, and DataConfig.records to it; it wins over all.

    Returns:
      The whole configuration; nothing looks at gin after this.

    Raises:
      LonghaulError: for a missing file, a syntax error, a misspelt name, a macro without its
        required value or a value out of range; the message says where.
    """
    gin.clear_config()
    for path in gin_files:
        place = os.path.abspath(path)
        for _ in range(3):
            place = os.path.dirname(place)
            gin.add_config_file_search_path(place)
    for place in _INSTALLED:
        gin.add_config_file_search_path(place)
    try:
        with _without_gin_s_log():
            gin.parse_config_files_and_bindings(gin_files, [], finalize_config=False)
        _check_macros(gin_params)
        _refuse_bare_words(gin_params)
        bindings = list(gin_params)
        if records is not None:
            bindings += [f'RECORDS = {records!r}', 'DataConfig.records = %RECORDS']
        gin.parse_config_files_and_bindings([], bindings, finalize_config=False)
        _check_required()
        gin.finalize()
        return config.resolve()
    except LonghaulError as error:
        # If a constructor raises, gin appends lines of its own to the error.
        raise LonghaulError(first_line(error)) from error
    except OSError as error:
        raise LonghaulError(f'--gin_file: {_in_one_line(error)}; check the name') from error
    except _MISTAKES as error:
        raise LonghaulError(_explain(error)) from error


@contextlib.contextmanager
def _without_gin_s_log() -> Iterator[None]:
    """Keeps gin from logging each place where a file is not; it raises if there is none."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _macros() -> dict[str, str]:
    """Macros bound so far, and their values as gin writes them."""
    lines = gin.config_str(max_line_length=1000).splitlines()
    bound = (re.fullmatch(r'(\w+) = (.*)', line) for line in lines)
    return {match[1]: match[2] for match in bound if match}


def _check_macros(gin_params: list[str]) -> None:
    """Refuses a macro that no gin file has: gin would accept it without any effect."""
    macros = _macros()
    for param in gin_params:
        name = param.partition('=')[0].strip()
        if re.fullmatch(r'\w+', name) and name not in macros:
            nearest = difflib.get_close_matches(name, [*macros, *_parameters()], n=1, cutoff=0)
            raise LonghaulError(
                f'--gin_param={param}: no gin file has a macro {name}; did you mean {nearest[0]}?'
            )


def _check_required() -> None:
    missing = [name for name, value in _macros().items() if value == '%gin.REQUIRED']
    if missing:
        ways = ', '.join(_HOW_TO_GIVE.get(name, f'--gin_param="{name}=..."') for name in missing)
        raise LonghaulError(f'{", ".join(missing)}: required by the gin file; add {ways}')


def _in_one_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return ' '.join(line.strip() for line in text.splitlines() if line.strip())[:400]


def _explain(error: Exception) -> str:
    """gin's own message in one line, with the nearest of our names for a misspelt one."""
    text = _in_one_line(error)
    configurable = re.search(r"No configurable matching '([^']+)'", text)
    parameter = re.search(r"Configurable '([^']+)' doesn't have a parameter named '([^']+)'", text)
    known = _parameters()
    nearest: list[str] = []
    if configurable:
        classes = sorted({name.split('.')[0] for name in known})
        nearest = difflib.get_close_matches(configurable[1], classes, n=1, cutoff=0)
    elif parameter:
        wanted = f'{parameter[1].split(".")[-1]}.{parameter[2]}'
        nearest = difflib.get_close_matches(wanted, known, n=1, cutoff=0)
    hint = f'; did you mean {nearest[0]}?' if nearest else ''
    return f'gin configuration: {text}{hint}'


def _refuse_bare_words(gin_params: list[str]) -> None:
    """Refuses a text without quotes, which gin cannot parse."""
    for param in gin_params:
        name, _, value = (part.strip() for part in param.partition('='))
        if not re.fullmatch(r'[A-Za-z][\w./-]*', value) or value in ('True', 'False', 'None'):
            continue
        word = _PYTHON_WORDS.get(value.lower(), f"'{value}'")
        raise LonghaulError(
            f'--gin_param={param}: {value} is a text without quotes; give '
            f'--gin_param="{name}={word}"'
        )
