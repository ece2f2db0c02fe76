"""Seconds and memory of training steps, ours beside those of other libraries, over length.

    python -m tools.benchmark step
    python -m tools.benchmark step --lengths=784,4096 --models=r,plain --json=FILE --plot=FILE
    python -m tools.benchmark sweep --lengths=16384
    python -m tools.benchmark job
    python -m tools.benchmark job --parts=speed --json=results/job.json --docs=docs/job.md
    python -m tools.benchmark stream --export=RUN/export/STEP --steps=10000000
    python -m tools.benchmark serve --export=RUN/export

`step` measures whole training steps: forward, backward, RMSprop with the global norm clipped at 1.
Ours are the models readout (the default r-LSTM: a readout and labels at the anchors), r, p and rp
(with the paper's decoders), plain (truncated) and full (full BPTT).
keras3, tf_keras and torch_full are an LSTM with the same classifier and full BPTT; torch_truncated
is our own r or plain model in PyTorch; transformer is our baseline. `sweep` measures our
gradient-free pass beside the matrix products that it cannot do without. `job` measures the Beam job
beside a plain loop in one process that does the same work, two worker processes beside one, and the
job's memory. `stream` sends one endless sequence through an exported model, chunk by chunk. `serve`
asks a server from many clients at once, and a loop over its model beside it.

Each measurement of `step` and `sweep` is a process of its own, all implementations in turn: a first
step, which traces and compiles, then --steps timed ones. The memory is the process's peak, less
what the imported libraries take. A process that takes too much memory or time is killed, becomes a
row that says so, and is not started with longer sequences. PyTorch is no dependency: a row says so
where it is missing.

Prints Markdown tables; the results, with all settings, are written to --json.
"""

import sys
from collections.abc import Callable
from typing import Any

from tools import flags
from tools.benchmark.job import run as job
from tools.benchmark.serve import run as serve
from tools.benchmark.step import run as steps
from tools.benchmark.step.options import Options
from tools.benchmark.stream import run as stream

_COMMANDS: dict[str, tuple[type[Any], Callable[[Any], object]]] = {
    'step': (Options, steps.run),
    'sweep': (Options, steps.run),
    'job': (job.Options, job.run),
    'stream': (stream.Options, stream.run),
    'serve': (serve.Options, serve.run),
}
_NOT_OF_A_SWEEP = ('models', 'auxiliary_steps', 'anchors')


def main(arguments: list[str] | None = None) -> int:
    """Measures what the flags say; returns the exit code: 0, 2 for a refusal, 130 interrupted."""
    parser = flags.Parser('python -m tools.benchmark', doc=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    for command, (options, _) in _COMMANDS.items():
        without = _NOT_OF_A_SWEEP if command == 'sweep' else ()
        flags.add_flags(commands.add_parser(command), options, without=without)
    given = vars(parser.parse_args(arguments))
    try:
        return flags.code_of(lambda: _run(given))
    except KeyboardInterrupt:
        print('stopped; the rows above are whole', file=sys.stderr)
        return 130


def _run(given: dict[str, Any]) -> int:
    options, run = _COMMANDS[given['command']]
    if options is not Options:
        del given['command']
    run(options(**given))
    return 0


if __name__ == '__main__':
    sys.exit(main())
