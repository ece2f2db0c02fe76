"""Starting from the weights that another run's auxiliary phase ended with.

The classifier starts anew: the two runs may have different classes, and the other run none at all.
The length of the sequences may differ, too. The kind of a step must be the same.
"""

import orbit
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from trainer.models.protocol import Model
from trainer.run_dir.files import refusing
from trainer.run_dir.folder import ModelDir
from trainer.run_dir.healing import is_whole

_PARTS = ('embedding', 'main', 'reconstruction', 'prediction')
_SUFFIX = '/.ATTRIBUTES/VARIABLE_VALUE'


def _parts(model: Model) -> tf.train.Checkpoint:
    """The model without its classifier, under the names of a checkpoint of the whole model."""
    parts = {name: getattr(model, name) for name in _PARTS if getattr(model, name) is not None}
    return tf.train.Checkpoint(model=tf.train.Checkpoint(**parts))


class KeepPretrained(orbit.Action):
    """A training action: saves the weights that the auxiliary phase ends with.

    It runs before the phase's last checkpoint, so that a kill cannot leave that checkpoint without
    these weights.
    """

    def __init__(
        self,
        model: Model,
        folder: ModelDir,
        *,
        global_step: tf.Variable,
        last_step: int,
    ) -> None:
        self._model, self._path = model, folder.pretrained
        self._step, self._last = global_step, last_step

    def __call__(self, logs: dict[str, float]) -> None:
        """Saves the weights after the last step."""
        del logs
        if int(self._step.numpy()) == self._last:
            with refusing(self._path):
                _parts(self._model).write(self._path)


def warm_start(model: Model, source: str, spec: SequenceSpec) -> None:
    """Gives the model, except for its classifier, the weights of another run's auxiliary phase.

    Args:
      model: to be trained.
      source: RunConfig.warm_start, the model_dir of the other run.
      spec: of this run's records.

    Raises:
      LonghaulError: if the other run has not finished an auxiliary phase, read steps of another
        kind, or lacks parts or has them in other sizes.
    """
    folder = ModelDir(source, flag='RunConfig.warm_start')
    other, _ = folder.data()
    for name in ('kind', 'dtype', 'channels', 'tokens', 'vocabulary_sha256'):
        theirs, ours = getattr(other, name), getattr(spec, name)
        if theirs != ours:
            raise LonghaulError(
                f'RunConfig.warm_start={source!r}: that run read records with {name}={theirs!r}, '
                f'these have {ours!r}; name a run on records of the same kind'
            )
    if not tf.io.gfile.exists(f'{folder.pretrained}.index'):
        raise LonghaulError(
            f'RunConfig.warm_start={source!r}: its auxiliary phase has not ended, or it had none; '
            'name a run with RunConfig.pretrain_steps > 0 that has finished that phase'
        )
    if not is_whole(folder.pretrained, holding='_CHECKPOINTABLE_OBJECT_GRAPH'):
        raise LonghaulError(
            f'RunConfig.warm_start={source!r}: {folder.pretrained} is damaged; bring it back from '
            'a copy, or name another run'
        )
    _check_shapes(model, source, folder.pretrained)
    _parts(model).read(folder.pretrained).assert_existing_objects_matched().expect_partial()


def _check_shapes(model: Model, source: str, path: str) -> None:
    theirs = {
        name.removesuffix(_SUFFIX).removeprefix('model/'): shape
        for name, shape in tf.train.list_variables(path)
    }
    for variable in model.trainable_variables:
        name, shape = variable.name.removesuffix(':0'), variable.shape.as_list()
        if name.startswith('classifier/') or theirs.get(name) == shape:
            continue
        found = f'{theirs[name]} there' if name in theirs else 'missing there'
        raise LonghaulError(
            f'RunConfig.warm_start={source!r}: {name} is {shape} here and {found}; use the same '
            'ModelConfig and ObjectiveConfig as that run (see its operative.gin)'
        )
