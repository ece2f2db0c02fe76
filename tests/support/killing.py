"""Runs of the trainer that kill themselves, by SIGKILL, at moments that a test names.

    python killing.py LOG [--mirrored] MOMENT... -- FLAGS OF trainer.commands.Command AS JSON

Each start is a process of its own, forked before TensorFlow computes anything (importing it costs
more than such a run). One start per moment, one more without; what each came to is appended to LOG.
A moment is NAME:STEP: the first time NAME is reached at or after that global step.
"""

import json
import os
import signal
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import orbit
import tensorflow as tf
from tensorflow.python.checkpoint import checkpoint_management, functional_saver
from tensorflow.python.lib.io import file_io
from tensorflow.python.ops import gen_io_ops

from trainer import commands
from trainer.devices import strategies
from trainer.run_dir import folder, validations
from trainer.training import loop, phase_actions


class Killer:
    """Kills this process at its moment."""

    def __init__(self, moment: str) -> None:
        self.name, _, step = moment.rpartition(':')
        self.step, self.now = int(step), 0

    def reach(self, name: str) -> None:
        if name == self.name and self.now >= self.step:
            os.write(1, f'killed at {name}, step {self.now}\n'.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Patches the places that moments are named after."""
        self._around(loop.PhaseTrainer, '_take', 'loop:before', 'loop:after')
        self._around(orbit.Controller, 'restore_checkpoint', None, 'restored')
        self._around(
            phase_actions.KeepPretrained, '__call__', 'pretrained:before', 'pretrained:after'
        )
        self._around(phase_actions.KeepBest, '__call__', 'best:before', 'best:after')
        self._around(validations.ValidationLog, 'add', None, 'validated')
        self._around(loop.SplitEvaluator, 'eval_step', None, 'evaluating')
        self._around(loop.SplitEvaluator, 'eval_end', 'evaluated', None)
        # Inside of a checkpoint's write: files of tensors, their merging, the name of the latest.
        self._around(functional_saver.MultiDeviceSaver, 'save', 'save:begin', 'save:merged')
        self._around(gen_io_ops, 'merge_v2_checkpoints', 'save:tensors', None)
        self._around(file_io, 'rename', 'state:written', None)
        self._around(checkpoint_management.CheckpointManager, '_sweep', 'save:sweep', None)
        self._around(folder.tf.io.gfile, 'rename', 'file:written', None)

    def _around(self, owner: object, name: str, before: str | None, after: str | None) -> None:
        inner = getattr(owner, name)

        def watched(*args: object, **kwargs: object) -> object:
            step = getattr(args[0], '_global_step', None) if args else None
            if isinstance(step, tf.Variable):
                self.now = int(step.numpy())
            if before:
                self.reach(before)
            result = inner(*args, **kwargs)
            if isinstance(step, tf.Variable):
                self.now = int(step.numpy())
            if after:
                self.reach(after)
            return result

        setattr(owner, name, watched)


def two_replicas(flags: object) -> tf.distribute.Strategy:
    del flags
    return tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])


def child(moment: str | None, mirrored: bool, command: dict) -> int:
    if mirrored:
        cpu = tf.config.list_physical_devices('CPU')[0]
        config = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, config)
        strategies.make_strategy = two_replicas
    if moment:
        Killer(moment).watch()
    return commands.execute(commands.Command(**command))


def main() -> None:
    split = sys.argv.index('--')
    log, *moments = sys.argv[1:split]
    mirrored = '--mirrored' in moments
    moments = [m for m in moments if m != '--mirrored']
    command = json.loads(sys.argv[split + 1])
    for moment in [*moments, None]:
        pid = os.fork()
        if pid == 0:
            os._exit(child(moment, mirrored, command))
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with open(log, 'a') as file:
            file.write(json.dumps({'moment': moment, 'code': code}) + '\n')
        if code != (-signal.SIGKILL if moment else 0):
            sys.exit(f'{moment}: ended with {code}')


if __name__ == '__main__':
    main()
