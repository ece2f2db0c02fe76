"""Tiny models with random weights and their exports, one per kind of input: nothing is trained."""

import io
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.format.spec import SequenceSpec, character_spec, signal_spec, text_spec
from trainer.config import (
    Config,
    DataConfig,
    ModelConfig,
    ObjectiveConfig,
    OptimizerConfig,
    RunConfig,
)
from trainer.models.architectures import Model, make_model
from trainer.run_dir.folder import ModelDir
from trainer.serving import export

UNITS, STEPS = 6, 12
CLASSES = ('cat', 'dog', 'Kuh', 'Огонь', '猫', 'emu', 'a b')
# é has two bytes, 猫 three, 🙂 four.
VOCABULARY = 'abcé猫🙂 '
SPECS = {
    'image': SequenceSpec('image', image_size=6, channels=3),
    'bytes': text_spec(max_steps=40, cut='tail'),
    'characters': character_spec(max_steps=9, cut='both').with_vocabulary(VOCABULARY),
    'transformer': text_spec(),
    'signal': signal_spec(dtype='float16', channels=2),
}
_ARCHITECTURES = {'bytes': 'gru', 'transformer': 'transformer'}
KINDS = tuple(SPECS)
# Further ways to recall, which only tests of recalling ask for; behind their pixels comes a tail.
RECALLING = {
    'readout': {'reconstruction_form': 'readout'},
    'told': {'decoder_knows_distance': True},
}
SPECS |= {
    kind: SequenceSpec('image', image_size=6, channels=3, trailing_steps=20) for kind in RECALLING
}


def config_of(kind: str) -> Config:
    architecture = _ARCHITECTURES.get(kind, 'lstm')
    return Config(
        ModelConfig(
            architecture=architecture,
            embedding_units=8,
            hidden_units=UNITS,
            head_units=7,
            transformer_inner_units=8,
        ),
        ObjectiveConfig(
            auxiliary_steps=STEPS,
            reconstruction_weight=float(architecture == 'lstm'),
            **RECALLING.get(kind, {}),
        ),
        DataConfig(),
        OptimizerConfig(),
        RunConfig(),
    )


def model_of(kind: str, *, classes: int = len(CLASSES), seed: int = 0) -> Model:
    """Weights that let the classes differ: as they begin, all of them are as likely."""
    model = make_model(config_of(kind), SPECS[kind], classes=classes)
    for i, variable in enumerate(sorted(model.trainable_variables, key=lambda v: v.name)):
        draw = tf.random.stateless_normal(variable.shape, [seed, i], stddev=0.3)
        variable.assign_add(draw)
    return model


def run_of(
    kind: str, folder: Path, *, class_names: tuple[str, ...] = CLASSES, step: int = 7
) -> ModelDir:
    """The folder of a run that stands at a step, as far as an export reads it."""
    found = ModelDir(str(folder))
    found.create()
    found.remember_data(SPECS[kind], class_names)
    save(found, step=step, model=model_of(kind, classes=len(class_names)))
    return found


def save(folder: ModelDir, *, step: int, **models: Model) -> None:
    """Writes a checkpoint as a run does."""
    counter = tf.Variable(step, dtype=tf.int64, trainable=False)
    checkpoint = tf.train.Checkpoint(global_step=counter, **models)
    tf.train.CheckpointManager(checkpoint, folder.checkpoints, 1).save(step)


def export_of(kind: str, folder: Path, *, tflite: bool = False, **run: object) -> str:
    """The folder of an export."""
    return export.export(config_of(kind), run_of(kind, folder, **run).path, tflite=tflite)


class Loaded:
    """An export in TensorFlow: `call(signature, **inputs)` -> numpy arrays."""

    def __init__(self, folder: str) -> None:
        self._loaded = tf.saved_model.load(folder)
        self.signatures = self._loaded.signatures

    def call(self, signature: str, **inputs: object) -> dict[str, np.ndarray]:
        found = self.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
        return {name: tensor.numpy() for name, tensor in found.items()}


def items_of(kind: str, count: int, *, seed: int = 0) -> list[bytes]:
    """Raw items of different sizes that the model can read."""
    random = np.random.default_rng(seed)
    return [_item(kind, random, size) for size in random.integers(1, 60, count)]


def _item(kind: str, random: np.random.Generator, size: int) -> bytes:
    if SPECS[kind].kind == 'image':
        pixels = random.integers(0, 256, [size + 1, 7, 3], np.uint8)
        return tf.io.encode_png(pixels).numpy()
    if kind == 'characters':
        return ''.join(random.choice([*VOCABULARY, 'Z'], size)).encode()
    if kind == 'signal':
        return npy(random.normal(size=[size, 2]).astype(np.float32))
    return random.integers(33, 127, size, np.uint8).tobytes()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
