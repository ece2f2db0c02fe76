"""An ONNX model beside the SavedModel: the signature `tokens` for other runtimes.

ONNX has the LSTM and the GRU as operators of their own, so the graph is written here from the
weights. It is kept only if its answers match those of the SavedModel.
"""

import importlib.util
import os
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from trainer.models.baselines.gru import GRUClassifier
from trainer.models.layers import Dense
from trainer.models.long_sequence import LongSequenceModel
from trainer.models.protocol import Model
from trainer.serving import alike
from trainer.serving.module import ServingModule

FILE_NAME = 'model.onnx'
# The oldest that has every operator in the form that is used here, and a file format of its time.
_OPSET, _IR_VERSION = 14, 8


def need_onnx(model: Model) -> None:
    """Refuses what cannot become an ONNX model, before anything is written.

    Raises:
      LonghaulError: if a package is missing, or the model is not recurrent.
    """
    missing = [name for name in ('onnx', 'onnxruntime') if importlib.util.find_spec(name) is None]
    if missing:
        raise LonghaulError(
            f"--onnx: {' and '.join(missing)} not installed; pip install '.[onnx]', or leave "
            '--onnx out'
        )
    if not isinstance(model, LongSequenceModel | GRUClassifier):
        raise LonghaulError(
            f'--onnx: a {type(model).__name__} has no ONNX model, an LSTM and a GRU have; leave '
            '--onnx out'
        )


def write_onnx(path: str, module: ServingModule, spec: SequenceSpec) -> str:
    """Writes the signature `tokens`, and compares its answers with the SavedModel's.

    Args:
      path: of the file, on any file system.
      module: of the export, of a model that `need_onnx` takes.
      spec: of what it reads.

    Returns:
      What was done, a sentence for the model card.

    Raises:
      LonghaulError: if its answers differ.
    """
    import onnxruntime

    content = graph_of(module.model, spec)
    session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
    concrete = alike.signature(module, spec, spec.dtype)
    found = alike.compare(
        lambda sequence: session.run(
            ['probabilities'],
            {'inputs': sequence, 'lengths': np.array([sequence.shape[1]], np.int32)},
        )[0],
        lambda sequence: concrete(tf.constant(sequence))['probabilities'].numpy(),
        spec,
        spec.dtype,
    )
    if found.fault is not None:
        raise LonghaulError(f'--onnx: {found.fault}; leave --onnx out')
    with tf.io.gfile.GFile(path, 'wb') as file:
        file.write(content)
    return (
        f'`{os.path.basename(path)}` in the same folder is the signature `tokens` for ONNX, with '
        f'`probabilities` alone as its answer: {found.agreement}.'
    )


class _Nodes:
    """The nodes and the weights of a graph, each named after its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Adds an operator with one output; returns its name."""
        from onnx import helper

        # The first output of a recurrent operator is the state after each step: not wanted.
        outputs = ['', name] if kind in ('LSTM', 'GRU') else [name]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return name

    def weight(self, name: str, value: np.ndarray) -> str:
        """Adds a constant; returns its name."""
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def graph_of(model: LongSequenceModel | GRUClassifier, spec: SequenceSpec) -> bytes:
    """The file: `inputs` [B, T(, C)] as stored and `lengths` int32 [B] -> `probabilities`."""
    import onnx
    from onnx import helper

    nodes, top = _Nodes(), model.classifier
    state = _recurrent(nodes, model, spec)
    hidden = _dense(nodes, 'hidden_1', state, top.hidden_1)
    hidden = nodes.add('Relu', 'relu_1', hidden)
    hidden = nodes.add('Relu', 'relu_2', _dense(nodes, 'hidden_2', hidden, top.hidden_2))
    logits = _dense(nodes, 'logits', hidden, top.output)
    nodes.add('Softmax', 'probabilities', logits, axis=-1)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes.nodes,
        'tokens',
        [
            tensor('inputs', kind, ['rows', spec.fixed_length or 'steps', *spec.step_shape]),
            tensor('lengths', onnx.TensorProto.INT32, ['rows']),
        ],
        [tensor('probabilities', onnx.TensorProto.FLOAT, ['rows', int(top.output.bias.shape[0])])],
        nodes.weights,
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid('', _OPSET)],
        ir_version=_IR_VERSION,
        producer_name='longhaul',
    )
    onnx.checker.check_model(made)
    content: bytes = made.SerializeToString()
    return content


def _recurrent(nodes: _Nodes, model: LongSequenceModel | GRUClassifier, spec: SequenceSpec) -> str:
    """Reads `inputs`; the state [B, U] behind the last step of each row."""
    from onnx import TensorProto

    embedding = model.embedding.numpy()
    if spec.vocabulary_size is not None:
        ids = nodes.add('Cast', 'ids', 'inputs', to=TensorProto.INT64)
        steps = nodes.add('Gather', 'embedded', nodes.weight('embedding', embedding), ids)
        embedding = np.eye(embedding.shape[1], dtype=embedding.dtype)
    else:
        steps = nodes.add('Cast', 'values', 'inputs', to=TensorProto.FLOAT)
        if spec.dtype == 'uint8':
            steps = nodes.add(
                'Div', 'scaled', steps, nodes.weight('scale', np.array(255, np.float32))
            )
    steps = nodes.add('Transpose', 'steps_first', steps, perm=[1, 0, 2])
    kind, kernel, recurrent, bias, attributes = _weights_of(model)
    state = nodes.add(
        kind,
        'state',
        steps,
        nodes.weight('kernel', (embedding @ kernel).T[np.newaxis]),
        nodes.weight('recurrent_kernel', recurrent.T[np.newaxis]),
        nodes.weight('bias', bias[np.newaxis]),
        'lengths',
        hidden_size=int(recurrent.shape[0]),
        **attributes,
    )
    return nodes.add('Squeeze', 'rows', state, nodes.weight('directions', np.array([0])))


def _weights_of(
    model: LongSequenceModel | GRUClassifier,
) -> tuple[str, np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
    """Operator, kernel [E, G], recurrent kernel [U, G], both biases [2G], attributes."""
    if isinstance(model, LongSequenceModel):
        layer = model.main
        kernel, recurrent, bias = (
            _ordered(v.numpy(), 'ifco', 'iofc')
            for v in (layer.kernel, layer.recurrent_kernel, layer.bias)
        )
        return 'LSTM', kernel, recurrent, np.concatenate([bias, np.zeros_like(bias)]), {}
    cell = model.gru.cell
    # Keras and ONNX have the same order: update, reset, new.
    kernel, recurrent = cell.kernel.numpy(), cell.recurrent_kernel.numpy()
    return 'GRU', kernel, recurrent, cell.bias.numpy().ravel(), {'linear_before_reset': 1}


def _ordered(weights: np.ndarray, found: str, wanted: str) -> np.ndarray:
    """Orders the gates, which lie side by side in the last axis."""
    gates = dict(zip(found, np.split(weights, len(found), axis=-1), strict=True))
    return np.concatenate([gates[name] for name in wanted], axis=-1)


def _dense(nodes: _Nodes, name: str, rows: str, layer: Dense) -> str:
    kernel = nodes.weight(f'{name}_kernel', layer.kernel.numpy())
    bias = nodes.weight(f'{name}_bias', layer.bias.numpy())
    return nodes.add('Gemm', name, rows, kernel, bias)
