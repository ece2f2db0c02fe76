"""All of Longhaul as one command: longhaul job | train | report | ... FLAGS.

Each command is a module, which `python -m` runs as well.
"""

import importlib.util
import runpy
import sys

_COMMANDS = {
    'job': ('pipelines.main', 'turns pictures, texts, tables and arrays into records'),
    'train': ('trainer.main', 'trains, evaluates and exports a model'),
    'report': ('tools.report', 'draws a page about a run, or about several'),
    'serve': ('tools.serve', 'serves an exported model'),
    'predict': ('tools.predict', 'classifies files with an exported model'),
    'query': ('tools.query', 'asks a server to classify files'),
    'verify': ('tools.verify', 'looks for faults in records'),
    'inspect': ('tools.inspect', 'shows what is in records'),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command that the first argument names; returns its exit code, 2 for a refusal."""
    first, *rest = (sys.argv[1:] if arguments is None else arguments) or ['--help']
    if first in ('-h', '--help', 'help'):
        print(_help())
        return 0
    if first not in _known():
        names = ', '.join(_known())
        print(f'error: {first}: no such command; name one of {names}', file=sys.stderr)
        return 2
    sys.argv = [f'longhaul {first}', *rest]
    runpy.run_module(_COMMANDS[first][0], run_name='__main__', alter_sys=True)
    return 0


def _known() -> list[str]:
    """The commands that are installed."""
    return [n for n, (module, _) in _COMMANDS.items() if importlib.util.find_spec(module)]


def _help() -> str:
    rows = [f'  {name:<9}{_COMMANDS[name][1]:<58}{_COMMANDS[name][0]}' for name in _known()]
    return '\n'.join(
        [
            'usage: longhaul COMMAND FLAGS',
            '',
            *rows,
            '',
            'longhaul COMMAND --help lists the flags. python -m MODULE is the same command.',
        ]
    )


if __name__ == '__main__':
    sys.exit(main())
