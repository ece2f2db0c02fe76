"""A replica's gradient step, compiled by XLA for the CPU and compared with the uncompiled one.

There is no TPU compiler to be had offline. What a TPU demands of a step can be checked all the
same: that XLA compiles it, that every shape in it is static, that nothing in it needs the host.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.format import anchors
from pipelines.format.records import RecordsInfo
from pipelines.format.spec import SequenceSpec, signal_spec, text_spec
from trainer.config import Config
from trainer.training.task import LonghaulTask

ROWS, CLASSES, UNITS, CHANNELS = 2, 7, 4, 3
# Digits say nothing of their size in gin; documents come in buckets of segments.
SIDE, SEGMENTS = 16, 5
HOST_OPS = ('PyFunc', 'EagerPyFunc', 'PyFuncStateless', 'Print', 'PrintV2', 'Assert')
# Of the norm of all gradients, below which a weight's own gradient counts as zero.
FLOOR = 1e-4

_AUXILIARY = ('reconstruction', 'prediction')

Function = Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]


def tiny(config: Config) -> Config:
    """The same experiment with the narrowest layers: T, S, L and K stay."""
    names = [f.name for f in dataclasses.fields(config.model) if f.name.endswith('_units')]
    sizes = dict.fromkeys(names, UNITS)
    return dataclasses.replace(config, model=dataclasses.replace(config.model, **sizes))


def make_info(config: Config, *, segment_steps: int = 300, side: int | None = None) -> RecordsInfo:
    """Records that the experiment would accept, without any example."""
    spec = text_spec()
    if config.data.kind == 'signal':
        spec = signal_spec(dtype='float16', channels=config.data.channels or CHANNELS)
    elif config.data.kind != 'text':
        steps = config.objective.auxiliary_steps
        side = side or config.data.image_size or (SIDE if steps < SIDE**2 else 2 * SIDE)
        spec = SequenceSpec('image', image_size=side, channels=config.data.channels or 1)
    return RecordsInfo(
        spec=spec,
        segment_steps=segment_steps,
        auxiliary_steps=config.objective.auxiliary_steps,
        anchors_per_sequence=config.objective.anchors_per_sequence,
        anchor_sets=1,
        seed=0,
        class_names=tuple(f'class {i}' for i in range(CLASSES)),
        shards={},
        counts={},
        lengths={},
    )


def write_stats(folder: Path) -> str:
    """Records with nothing but what relative losses are divided by; returns their folder."""
    values = {'deviation': [60.0] * CHANNELS, 'mean': [100.0] * CHANNELS}
    stats = {'values': {'train': values}, 'entropy': {'train': [3.0] * CHANNELS}}
    (folder / 'stats.json').write_text(json.dumps(stats))
    return str(folder)


def make_inputs(
    config: Config, info: RecordsInfo, *, segments: int = SEGMENTS
) -> dict[str, tf.Tensor]:
    """A replica's rows, as the input pipeline gives them; documents fill `segments` segments."""
    rng, spec = np.random.default_rng(0), info.spec
    total = spec.fixed_length or segments * info.segment_steps
    lengths = np.full([ROWS], total)
    if spec.fixed_length is None:
        lengths[1:] = total - info.segment_steps // 2
    inputs = rng.integers(0, 256, [ROWS, total, *spec.step_shape])
    inputs = (inputs / 100 if spec.kind == 'signal' else inputs).astype(spec.dtype)
    inputs[np.arange(total) < (total - lengths)[:, np.newaxis]] = 0
    objective = config.objective
    steps, k = objective.auxiliary_steps, objective.anchors_per_sequence
    drawn = [np.zeros([ROWS, 1, k])] * 3
    if objective.anchored:
        drawn = anchors.sample_anchors(
            seed=0,
            sets=[0],
            id_hashes=np.arange(ROWS, dtype=np.uint64),
            lengths=lengths,
            auxiliary_steps=anchors.auxiliary_length(
                lengths, steps, fixed_length=spec.fixed_length is not None
            ),
            anchors_per_sequence=k,
        )
    asked = [objective.readout_distances * (n in objective.readouts) for n in _AUXILIARY]
    r_distances, p_distances = (np.tile(np.arange(1, n + 1), [ROWS, 1]) for n in asked)
    unfed = 0 if objective.always_fed else steps - 1
    names = ('r_anchors', 'r_starts', 'p_anchors')
    return {
        'rows': tf.range(ROWS),
        'inputs': tf.constant(inputs),
        'lengths': tf.constant(lengths, tf.int32),
        'labels': tf.constant([3, -1]),
        'counted': tf.constant([True, False]),
        'fed': tf.constant(rng.random([ROWS, k, unfed]) < 0.5),
        'r_distances': tf.constant(r_distances, tf.int32),
        'p_distances': tf.constant(p_distances, tf.int32),
        **{n: tf.constant(a[:, 0], tf.int32) for n, a in zip(names, drawn, strict=True)},
    }


def _nodes(graph: tf.compat.v1.GraphDef) -> Iterator[tf.compat.v1.NodeDef]:
    """The nodes of a graph and of all functions that it calls (it may know others: cuDNN's)."""
    bodies = {body.signature.name: body.node_def for body in graph.library.function}
    reached, waiting = set(), [list(graph.node)]
    while waiting:
        for node in waiting.pop():
            yield node
            called = {node.op}
            for value in node.attr.values():
                called |= {value.func.name} | {f.name for f in value.list.func}
            waiting += [bodies[name] for name in called & bodies.keys() - reached]
            reached |= called


def check_graph(function: tf.types.experimental.ConcreteFunction) -> None:
    """Asserts that no op needs the host and that all shapes are static, in loops' bodies too."""
    nodes = list(_nodes(function.graph.as_graph_def(add_shapes=True)))
    assert len(nodes) > 100
    for node in nodes:
        assert node.op not in HOST_OPS, f'{node.op} {node.name}'
        for name, value in node.attr.items():
            types = [value.type, *value.list.type]
            assert tf.string.as_datatype_enum not in types, f'{node.op} {node.name}: {name}'
        for shape in node.attr['_output_shapes'].list.shape:
            static = tf.TensorShape(shape).is_fully_defined()
            assert static, f'{node.op} {node.name}: {tf.TensorShape(shape)}'


class Step:
    """A task's step on made-up rows, at the narrowest width."""

    def __init__(
        self,
        config: Config,
        info: RecordsInfo,
        *,
        supervised: bool = True,
        segments: int = SEGMENTS,
    ) -> None:
        config = tiny(config)
        self.task = LonghaulTask(config, info, supervised=supervised)
        self.model = self.task.build_model()
        self.metrics = self.task.build_metrics(training=False)
        self.inputs = make_inputs(config, info, segments=segments)
        self.step = tf.Variable(2, dtype=tf.int64)

    def gradients(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Losses and gradients by name, of the third step."""
        losses, gradients = self.task.gradients(inputs, self.model, self.step.read_value())
        variables = self.model.trainable_variables
        named = {v.name: g for v, g in zip(variables, gradients, strict=True)}
        losses = {n: getattr(losses, n) for n in ('supervised', *_AUXILIARY)} | losses.at_anchors
        return named | {'losses': tf.stack([losses[n] for n in sorted(losses)])}

    def evaluate(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What an evaluation computes of a batch, and its metrics' sums."""
        for metric in self.metrics:
            metric.reset_states()
        found = self.task.validation_step(inputs, self.model, self.metrics)
        return found | {m.name: m.total.read_value() for m in self.metrics}

    def trace(
        self, function: Function, *, compiled: bool
    ) -> tf.types.experimental.ConcreteFunction:
        """The function for these inputs; a compiled one is built for XLA from the start."""
        traced = tf.function(function, autograph=False, jit_compile=compiled or None)
        return traced.get_concrete_function(self.inputs)

    def compare(self, function: Function) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """What the function gives uncompiled and compiled, its compiled graph checked."""
        compiled = self.trace(function, compiled=True)
        check_graph(compiled)
        return self.trace(function, compiled=False)(self.inputs), compiled(self.inputs)


def check_gradients(step: Step) -> None:
    """Asserts that the compiled step gives the losses and gradients of the uncompiled one."""
    want, got = step.compare(step.gradients)
    np.testing.assert_allclose(got.pop('losses'), want.pop('losses'), rtol=1e-4, atol=1e-6)
    norm = float(tf.linalg.global_norm(list(want.values())))
    assert norm > 0
    for name, gradient in want.items():
        tolerance = 1e-3 * max(float(tf.norm(gradient)), FLOOR * norm)
        assert float(tf.norm(got[name] - gradient)) <= tolerance, name


def check_evaluation(step: Step) -> None:
    """Asserts the same of what an evaluation computes of a batch, and of its metrics."""
    want, got = step.compare(step.evaluate)
    assert want.keys() == got.keys()
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def check_compiles(step: Step) -> None:
    """For what is too large to run here: it compiles, and nothing in it is dynamic."""
    for function in (step.gradients, step.evaluate):
        check_graph(step.trace(function, compiled=True))
        compiled = tf.function(function, autograph=False, jit_compile=True)
        make = compiled.experimental_get_compiler_ir(step.inputs)
        assert make(stage='optimized_hlo').startswith('HloModule')
