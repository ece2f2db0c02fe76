"""Starts of `python -m pipelines.main` that kill themselves, by SIGKILL, at moments a test names.

    python killing_jobs.py LOG MOMENT... -- FLAGS

Each start is a process of its own, forked before TensorFlow computes anything. One start per
moment, one more without; what each came to is appended to LOG. A moment is VERB:NAME: the first
time that a file whose name begins with NAME is about to be created (create), has been created
(created), is about to get its final name (rename), or has it (renamed).
"""

import json
import os
import runpy
import signal
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from apache_beam.io.filesystems import FileSystems

from pipelines import launcher  # noqa: F401 - imported once, for all starts


def watch(moment: str) -> None:
    """Patches the places that moments are named after."""
    wanted, _, prefix = moment.partition(':')

    def reach(verb: str, path: str) -> None:
        if verb == wanted and os.path.basename(path).startswith(prefix):
            os.kill(os.getpid(), signal.SIGKILL)

    create, rename = FileSystems.create, FileSystems.rename

    def watched_create(path: str, *arguments: object, **settings: object) -> object:
        reach('create', path)
        file = create(path, *arguments, **settings)
        reach('created', path)
        return file

    def watched_rename(sources: list[str], targets: list[str]) -> None:
        reach('rename', targets[0])
        rename(sources, targets)
        reach('renamed', targets[0])

    FileSystems.create = staticmethod(watched_create)
    FileSystems.rename = staticmethod(watched_rename)


def main() -> None:
    split = sys.argv.index('--')
    log, *moments = sys.argv[1:split]
    flags = sys.argv[split + 1 :]
    for moment in [*moments, None]:
        pid = os.fork()
        if pid == 0:
            if moment:
                watch(moment)
            sys.argv = ['pipelines.main', *flags]
            runpy.run_module('pipelines.main', run_name='__main__')
        _, status = os.waitpid(pid, 0)
        folder = next(f for f in flags if f.startswith('--output=')).partition('=')[2]
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        with open(log, 'a') as file:
            code = os.waitstatus_to_exitcode(status)
            file.write(json.dumps({'moment': moment, 'code': code, 'files': names}) + '\n')


if __name__ == '__main__':
    main()
