"""operative.gin, the configuration of a run in its folder: values alone, no code.

A gin file may import modules and call functions, and whoever names his own file wants that. The
folder of a run may come from somebody else.
"""

import tokenize
import typing

import tensorflow as tf
from gin import config_parser

from pipelines.format.errors import LonghaulError, first_line
from trainer.config import Config

_CLASSES = {kind.__name__ for kind in typing.get_type_hints(Config).values()}
_INSTEAD = 'name a gin file that you trust with --gin_file'


class _Values(config_parser.ParserDelegate):
    """Refuses references to functions; a macro stands for a value of the same file."""

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> None:
        raise ValueError(f'refers to @{scoped_configurable_name}')

    def macro(self, macro_name: str) -> None:
        """Takes the use of a macro."""
        del macro_name


def check_values(path: str) -> None:
    """Refuses the operative.gin of a run unless it does nothing but give our settings values.

    Args:
      path: of the file.

    Raises:
      LonghaulError: if it cannot be read, or imports, includes, calls or binds anything else.
    """
    try:
        with tf.io.gfile.GFile(path) as file:
            text = file.read()
        for statement in config_parser.ConfigParser(text, _Values()):
            _check(statement)
    except (tf.errors.OpError, ValueError, SyntaxError, tokenize.TokenError, RecursionError) as e:
        raise LonghaulError(
            f'{path}: is read for the values of settings alone, and {first_line(e)}; {_INSTEAD}'
        ) from e


def _check(statement: typing.Any) -> None:
    if isinstance(statement, config_parser.ImportStatement):
        raise ValueError(f'imports {statement.module}')
    if isinstance(statement, config_parser.IncludeStatement):
        raise ValueError(f'includes {statement.filename}')
    # A macro has no such name. What our classes do not have, `bindings` refuses by name.
    if not isinstance(statement, config_parser.BindingStatement) or not statement.arg_name:
        return
    if statement.selector.removeprefix('trainer.config.') not in _CLASSES:
        raise ValueError(f'binds {statement.selector}.{statement.arg_name}')
