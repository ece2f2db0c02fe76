"""Seconds and memory of training steps, ours beside those of other libraries, over length.

    python -m tools.benchmark step
    python -m tools.benchmark step --lengths=784,4096 --models=r,plain --json=FILE --plot=FILE
    python -m tools.benchmark sweep --lengths=16384
    python -m tools.benchmark input
    python -m tools.benchmark input --records=DIR --gin_file=FILE
    python -m tools.benchmark job
    python -m tools.benchmark job --parts=speed --json=docs/job.json --docs=docs/job.md
    python -m tools.benchmark stream --export=RUN/export/STEP --steps=10000000

`step` measures whole training steps: forward, backward, RMSprop with the global norm clipped at 1.
Ours are the models r, p, rp (with auxiliary losses), readout (r with a readout in place of its
decoder), plain (truncated) and full (full BPTT).
keras3, tf_keras and torch_full are an LSTM with the same classifier and full BPTT; torch_truncated
is our own r or plain model in PyTorch; transformer is our baseline. `sweep` measures our
gradient-free pass beside the matrix products that it cannot do without. `input` measures a step fed
from records beside the same step fed from memory. `job` measures the Beam job beside a plain loop
in one process that does the same work, two worker processes beside one, and the job's memory.
`stream` sends one endless sequence through an exported model, chunk by chunk.

Each measurement is a process of its own, all implementations in turn: a first step, which traces
and compiles, then --steps timed ones. Its memory is the process's peak, less what the imported
libraries take. One that takes too much memory or time is killed, becomes a row that says so, and is
not started with longer sequences. With --tune each peer is run with the fastest of some settings,
found at the shortest length. PyTorch is no dependency: a row says so where it is missing.

Prints a Markdown table; the rows are written to --json as a list of objects, with all settings.
"""

import sys

from pipelines.format.errors import LonghaulError
from tools.benchmark import feeding, implementations, run, streaming
from tools.benchmark.flags import BooleanFlag, Parser, names, number, numbers, whole
from tools.benchmark.jobs import run as jobs
from tools.benchmark.options import Options

_STEP = ', '.join(implementations.NAMES['step'])
_SWEEP = ', '.join(implementations.NAMES['sweep'])
# Flag, type, help. What is not given is Options' default.
_SHARED = (
    ('--lengths', numbers, 'steps of a sequence (default 784,1024,4096,16384)'),
    ('--batch', whole, 'sequences in a batch (default 128)'),
    ('--units', whole, 'width of the LSTM (default 128)'),
    ('--bptt_steps', whole, 'truncation of all losses, and steps of a segment (default 300)'),
    ('--repeats', whole, 'processes for each measurement (default 3)'),
    ('--steps', whole, 'timed steps in a process (default 2)'),
    ('--memory_limit_gb', number, 'resident memory that ends a process (default 20)'),
    ('--time_limit', number, 'seconds that end a process (default 600)'),
    ('--json', str, 'file for the rows'),
    ('--plot', str, 'picture of the rows: .png, .svg or .pdf'),
)
_INPUT = (
    ('--records', {}, 'folder of records; default: data sets that come with the product'),
    ('--gin_file', {}, 'experiment on these records'),
    ('--gin_param', {'action': 'append'}, 'one more binding; repeatable'),
    ('--steps', {'type': whole}, 'steps in a block (default 10)'),
    ('--repeats', {'type': whole}, 'blocks from records and from memory, each (default 5)'),
    ('--json', {}, 'file for the rows'),
)
_JOB = (
    ('--parts', {'type': names}, 'default: speed,workers,memory'),
    ('--scale', {'type': number}, 'multiplies all numbers of items (default 1)'),
    ('--repeats', {'type': whole}, 'pairs of runs (default 5)'),
    ('--json', {}, 'file for the results'),
    ('--docs', {}, 'document whose blocks <!-- benchmark: PART --> take the tables'),
)
_STREAM = (
    ('--export', {'required': True}, 'folder of the SavedModel'),
    ('--steps', {'type': whole}, 'of the sequence (default 10000000)'),
    ('--chunk_steps', {'type': whole}, 'of a call (default 100000)'),
    ('--batch', {'type': whole}, 'sequences side by side (default 1)'),
    ('--json', {}, 'file for the rows'),
)
_OWN = {
    'step': (
        ('--models', names, 'of those that know several (default r,p,rp,plain,full)'),
        ('--implementations', names, f'default: {_STEP}'),
        ('--auxiliary_steps', whole, 'steps that the auxiliary losses span (default 600)'),
        ('--anchors', whole, 'anchors of a sequence (default 1)'),
    ),
    'sweep': (('--implementations', names, f'default: {_SWEEP}'),),
}


def main(arguments: list[str] | None = None) -> int:
    """Measures what the flags say; returns the exit code: 0, 2 for a refusal, 130 interrupted."""
    parser = Parser(prog='python -m tools.benchmark', description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest='command', required=True)
    for command, own in _OWN.items():
        flags = commands.add_parser(command, allow_abbrev=False)
        for name, kind, text in (*own, *_SHARED):
            flags.add_argument(name, type=kind, help=text)
        flags.add_argument('--tune', action=BooleanFlag, help='try settings first (default)')
    for command, own in (('input', _INPUT), ('job', _JOB), ('stream', _STREAM)):
        flags = commands.add_parser(command, allow_abbrev=False)
        for name, settings, text in own:
            flags.add_argument(name, help=text, **settings)
    given = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
    renamed = {'json': 'json_file', 'plot': 'plot_file', 'gin_param': 'gin_params'}
    given = {renamed.get(k, k): v for k, v in given.items()}
    try:
        rest = {k: v for k, v in given.items() if k != 'command'}
        if given['command'] == 'input':
            feeding.run(feeding.FeedOptions(**rest))
        elif given['command'] == 'job':
            jobs.run(jobs.JobOptions(**rest))
        elif given['command'] == 'stream':
            streaming.run(streaming.StreamOptions(**rest))
        else:
            run.run(Options(**given))
    except LonghaulError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('stopped; the rows above are whole', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
