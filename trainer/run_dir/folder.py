"""The files of a run's folder, and where they are.

checkpoints/ (to resume), best/ (the best on validation), pretrained/ (the auxiliary phase's last
weights), train/ and validation/ (TensorBoard), operative.gin, command.json (gin files and bindings
as the user gave them), config.json (resolved), data.json (what it was trained on),
validations.jsonl, skipped.jsonl (batches left out), evaluation-*.json, predictions-*.jsonl,
result.json (the run in one line), report.html (a page about it), export/<version>/ (SavedModels).
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.patterns import refuse_pattern
from pipelines.format.spec import SequenceSpec
from trainer.data import checks
from trainer.data.record_files import other_splits
from trainer.run_dir import small_files
from trainer.run_dir.files import write_atomically
from trainer.run_dir.healing import STEP, make_latest, newest

GIN_FILE = 'operative.gin'
VALIDATIONS_FILE, SKIPPED_FILE = 'validations.jsonl', 'skipped.jsonl'
_COMMAND_FILE, _DATA_FILE = 'command.json', 'data.json'
_STATE_FOLDERS = ('checkpoints', 'best', 'pretrained')
_SECONDS = 'seconds/.ATTRIBUTES/VARIABLE_VALUE'
_SKIPPED = 'skipped/.ATTRIBUTES/VARIABLE_VALUE'
_AVERAGES = 'averages/'
# Folders of checkpoints, and what happens without one.
_HEALED = {'checkpoints': 'start again', 'best': 'evaluate and export the latest weights'}
_WITHOUT_DATA = 'the next start of training writes it anew, and compares no records then'


class ModelDir:
    """Names and reads the parts of a run's folder."""

    def __init__(self, path: str | os.PathLike[str], *, flag: str = '--model_dir') -> None:
        """Takes the folder, and the argument that names it.

        Raises:
          LonghaulError: if TensorFlow cannot keep checkpoints in a folder of this name.
        """
        path = os.fspath(path)
        refuse_pattern(path, flag=flag)
        self.path, self._flag = path, flag
        # By folder, where the file `checkpoint` names one that cannot be read.
        self._readable: dict[str, str] = {}

    def __truediv__(self, name: str) -> str:
        return tf.io.gfile.join(self.path, name)

    @property
    def checkpoints(self) -> str:
        """Folder of the checkpoints to resume from."""
        return self / 'checkpoints'

    @property
    def best(self) -> str:
        """Folder of the best checkpoint on the validation split."""
        return self / 'best'

    @property
    def pretrained(self) -> str:
        """Prefix of the checkpoint that the auxiliary phase ends with; the classifier left out."""
        return self / 'pretrained/weights'

    def create(self) -> None:
        """Makes the folder.

        Raises:
          LonghaulError: if it cannot be made or written to.
        """
        try:
            tf.io.gfile.makedirs(self.path)
            probe = self / '.writable'
            with tf.io.gfile.GFile(probe, 'w') as file:
                file.write('')
            tf.io.gfile.remove(probe)
        except (tf.errors.OpError, OSError) as error:
            raise LonghaulError(
                f'{self._flag}={self.path}: cannot be written to ({first_line(error)}); '
                'name a folder that you may write to'
            ) from error

    def heal(self, *, say: Callable[[str], None]) -> None:
        """Goes by the newest readable checkpoint, and that of best/ likewise; writes nothing.

        Args:
          say: takes a line for people, if something was wrong.

        Raises:
          LonghaulError: if there are checkpoints, and none can be read.
        """
        self._readable.clear()
        for name, without in _HEALED.items():
            found = newest(self / name, without=without)
            if found is not None and found.lost is not None:
                say(f'{found.lost}: cannot be read; going on from {found.path}')
                self._readable[self / name] = found.path

    def mend(self) -> None:
        """Makes the checkpoints that `heal` went by the latest ones on the disk.

        Only whoever holds the lock of the folder may do so: another run may train there.
        """
        for name, without in _HEALED.items():
            if self._readable.pop(self / name, None) is None:
                continue
            found = newest(self / name, without=without)
            if found is not None and found.lost is not None:
                make_latest(self / name, found.path)

    def latest_checkpoint(self, folder: str) -> str | None:
        """The latest checkpoint of checkpoints/ or of best/, or what `heal` found in its place."""
        return self._readable.get(folder) or tf.train.latest_checkpoint(folder)

    def copy_state(self, target: str) -> None:
        """Copies the files that a run reads from its folder: weights and small files, no logs."""
        for part in ('', *_STATE_FOLDERS):
            source, place = self / part, tf.io.gfile.join(target, part)
            if not tf.io.gfile.isdir(source):
                continue
            tf.io.gfile.makedirs(place)
            for name in tf.io.gfile.listdir(source):
                if part or name.endswith(('.json', '.gin', VALIDATIONS_FILE, SKIPPED_FILE)):
                    copy = tf.io.gfile.join(place, name)
                    tf.io.gfile.copy(tf.io.gfile.join(source, name), copy)

    def latest_step(self) -> int:
        """Global step of the latest checkpoint to resume from; 0 when there is none."""
        return int(self._latest(STEP))

    def latest_skipped(self) -> int:
        """Batches left out up to the latest checkpoint; 0 without one."""
        return int(self._latest(_SKIPPED))

    def latest_seconds(self) -> float:
        """Seconds of training and validating that the latest checkpoint took; 0 without one."""
        return float(self._latest(_SECONDS))

    def _latest(self, name: str) -> Any:
        path = self.latest_checkpoint(self.checkpoints)
        reader = None if path is None else tf.train.load_checkpoint(path)
        return reader.get_tensor(name) if reader and reader.has_tensor(name) else 0

    def has_averages(self) -> bool:
        """Whether the latest checkpoint holds moving averages of the weights."""
        path = self.latest_checkpoint(self.checkpoints)
        return path is not None and _has_averages(path)

    def evaluated_checkpoint(self) -> str:
        """The best checkpoint, or the latest while there is no best one.

        Raises:
          LonghaulError: if there is neither.
        """
        for folder in (self.best, self.checkpoints):
            path = self.latest_checkpoint(folder)
            if path is not None:
                return path
        raise LonghaulError(
            f'{self._flag}={self.path}: holds no checkpoint; train first with --mode=train'
        )

    def remember_command(
        self, gin_files: list[str], gin_params: list[str], commit: str | None
    ) -> None:
        """Saves the experiment as the user named it, and the commit of the code that trains it.

        If other code continues a run, the file lists the commits of all, the oldest first.
        """
        commits = self._command().get('commits', [])
        if commit is not None and commit not in commits:
            commits = [*commits, commit]
        content = {'gin_files': gin_files, 'gin_params': gin_params, 'commits': commits}
        write_atomically(self / _COMMAND_FILE, json.dumps(content) + '\n')

    def command(self) -> tuple[list[str], list[str]]:
        """The gin files and bindings that `remember_command` has saved."""
        content = self._command()
        return content.get('gin_files', []), content.get('gin_params', [])

    def commits(self) -> list[str]:
        """The commits of the code that has trained here, the oldest first."""
        return self._command().get('commits', [])

    def _command(self) -> dict[str, list[str]]:
        path, without = self / _COMMAND_FILE, 'name the gin files anew at the next start'
        if not tf.io.gfile.exists(path):
            return {}
        text = small_files.read_text(path, without=without)
        return small_files.parse(text, path, _COMMAND_FILE, without=without)

    def read_weights(self, path: str, **objects: tf.Module | tf.Variable) -> None:
        """Reads some of a checkpoint's objects, `model` and `global_step` for example.

        Raises:
          LonghaulError: if it holds other variables than these objects have.
        """
        try:
            checkpoint = tf.train.Checkpoint(**objects)
            checkpoint.read(path).assert_existing_objects_matched().expect_partial()
        except (AssertionError, ValueError) as error:
            raise LonghaulError(
                f'{self._flag}={self.path}: holds another model than the configuration describes; '
                'set ModelConfig and the weights in ObjectiveConfig as its operative.gin does, or '
                'name another --model_dir'
            ) from error

    def read_evaluated(self, path: str, *, model: tf.Module, global_step: tf.Variable) -> None:
        """Reads the weights that a checkpoint of `evaluated_checkpoint` is evaluated with.

        If the run keeps moving averages, these are the averages; best/ then holds nothing else.

        Raises:
          LonghaulError: if it holds other variables than the model has.
        """
        kind = 'averages' if _has_averages(path) else 'model'
        self.read_weights(path, **{kind: model}, global_step=global_step)

    def check_data(
        self,
        spec: SequenceSpec,
        class_names: tuple[str, ...],
        records: dict[str, str],
        *,
        change: bool,
    ) -> None:
        """Refuses other data than the run was trained on.

        Args:
          spec: of the records.
          class_names: by label.
          records: their identity, see `trainer.data.record_files`.
          change: whether a run may go on with other examples of the same kind.

        Raises:
          LonghaulError: if the run was trained on other data.
        """
        if not tf.io.gfile.exists(self / _DATA_FILE):
            return
        checks.check_same_data(*self.data(), spec, class_names)
        other = other_splits(self.trained_records(), records)
        if other and not change and self.latest_step() > 0:
            raise LonghaulError(
                f'{self._flag}={self.path}: was trained on other records: those of '
                f'{", ".join(other)} are not the same; name its records with --records=DIR, or '
                'another --model_dir, or add --allow_changes to go on with these'
            )

    def remember_data(
        self,
        spec: SequenceSpec,
        class_names: tuple[str, ...],
        records: dict[str, str] | None = None,
        *,
        losses: dict[str, str] | None = None,
    ) -> None:
        """Saves what the run is trained on.

        A run of an older version, which did not know `records` or `losses`, gets them now.

        Args:
          spec: see `check_data`.
          class_names: see `check_data`.
          records: see `check_data`.
          losses: modules that register losses from outside, by the name of the loss.
        """
        content = {'spec': spec.to_json(), 'class_names': class_names}
        content |= {'records': records or {}, 'losses': losses or {}}
        write_atomically(self / _DATA_FILE, json.dumps(content, indent=1) + '\n')

    def data(self) -> tuple[SequenceSpec, tuple[str, ...]]:
        """What the run was trained on: spec and class names.

        Raises:
          LonghaulError: if nothing was trained here.
        """
        content = self._data()
        try:
            spec = SequenceSpec.from_json(content['spec'])
        # It checks values, not their types.
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise small_files.damaged(self / _DATA_FILE, error, _WITHOUT_DATA) from error
        return spec, tuple(content['class_names'])

    def trained_records(self) -> dict[str, str]:
        """The identity of the records that the run was trained on; {} if an older version did."""
        return self._data().get('records', {})

    def losses(self) -> dict[str, str]:
        """Modules that register the run's losses from outside, by the name of the loss."""
        return self._data().get('losses', {})

    def _data(self) -> dict[str, Any]:
        path = self / _DATA_FILE
        try:
            text = small_files.read_text(path, without=_WITHOUT_DATA)
            return small_files.parse(text, path, _DATA_FILE, without=_WITHOUT_DATA)
        except tf.errors.NotFoundError as error:
            raise LonghaulError(
                f'{self._flag}={self.path}: holds no run; train first with --mode=train'
            ) from error


def _has_averages(path: str) -> bool:
    return any(name.startswith(_AVERAGES) for name, _ in tf.train.list_variables(path))


def versions(folder: str) -> list[int]:
    """The numbered versions in an export folder, ascending."""
    if not tf.io.gfile.isdir(folder):
        return []
    names = [Path(n).name for n in tf.io.gfile.listdir(folder)]
    return sorted(int(n) for n in names if n.isdecimal())
