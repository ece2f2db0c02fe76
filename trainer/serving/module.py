"""The signatures of an exported model.

`serving_default` classifies raw items, `decode` turns raw items into sequences, `tokens` classifies
such sequences, `encode` gives the state at the end of each raw item. Recurrent models also read
endless sequences: `start`, `advance`, `classify`, and with an r-LSTM's decoder or readout `recall`.
docs/serving.md is their reference.
"""

from collections.abc import Callable

import tensorflow as tf
from official.core import export_base

from pipelines.format.spec import SequenceSpec
from trainer.bptt.lstm import LSTMState
from trainer.models.protocol import Model, State
from trainer.serving.decoding import MAX_BATCH, decode_batch
from trainer.serving.encoders import make_encoder
from trainer.serving.recall import recall_at, recall_stretch

# Limits of one answer, far beyond any use: recalled values (64 MB), and recalled steps, each of
# which takes time and some hundred bytes even with few rows. Without limits, one small request
# could take all memory, or never end.
MAX_RECALLED, MAX_STEPS = 1 << 24, 65_536
# Limits of a readout's outputs: for one row, since its kernel has as many columns, and for all rows
# (256 MB). Texts and levels have one output for each id or level.
MAX_READ_OUT, MAX_SAID = 1 << 19, 1 << 26
_TOP = 5
Answers = dict[str, tf.Tensor]


class ServingModule(export_base.ExportModule):
    """All signatures of one model, see the module's docstring."""

    def __init__(self, model: Model, spec: SequenceSpec, class_names: tuple[str, ...]) -> None:
        super().__init__(spec, model, inference_step=lambda inputs, model: model.logits(inputs))
        self._spec, self._encoder = spec, make_encoder(model, spec)
        self._class_names = tf.constant(class_names)

    @property
    def _recalls_by_distance(self) -> bool:
        reconstruction = self.model.reconstruction
        return reconstruction is not None and reconstruction.by_distance

    def get_inference_signatures(
        self, function_keys: dict[str, str]
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Concrete functions by the names of their signatures."""
        return {
            function_keys[name]: self._concrete(name)
            for name in self.signature_names()
            if name in function_keys
        }

    def signature_names(self) -> list[str]:
        """The names of the signatures that this model has."""
        names = ['serving_default', 'decode', 'tokens', 'encode']
        if self._encoder.state_names:
            names += ['start', 'advance', 'classify']
            if self.model.reconstruction is not None:
                names.append('recall')
        return names

    def _concrete(self, name: str) -> tf.types.experimental.ConcreteFunction:
        methods: dict[str, Callable[[Answers], Answers]] = {
            'serving_default': self.serve,
            'decode': self.decode,
            'tokens': self.tokens,
            'encode': self.encode,
            'start': self.start,
            'advance': self.advance,
            'classify': self.classify,
            'recall': self.recall,
        }
        specs = self.inputs_of(name)

        def call(**tensors: tf.Tensor) -> Answers:
            """Checks shapes, since TensorFlow Serving does not: an inner op would fail instead."""
            return methods[name](
                {key: tf.ensure_shape(t, specs[key].shape) for key, t in tensors.items()}
            )

        return tf.function(call, autograph=False).get_concrete_function(**specs)

    def inputs_of(self, name: str) -> dict[str, tf.TensorSpec]:
        """The inputs of a signature, by name."""
        data = {'data': tf.TensorSpec([None], tf.string)}
        inputs = {
            'serving_default': data,
            'decode': data,
            'encode': data,
            'tokens': self._chunk(),
            'start': {'batch_size': tf.TensorSpec([], tf.int32)},
            'advance': self._state() | self._chunk(),
            'classify': self._state(),
            'recall': self._state() | self._wanted(),
        }[name]
        return {key: tf.TensorSpec(t.shape, t.dtype, name=key) for key, t in inputs.items()}

    def _chunk(self) -> dict[str, tf.TensorSpec]:
        shape = [None, None, *self._spec.step_shape]
        return {
            'inputs': tf.TensorSpec(shape, self._spec.dtype),
            'lengths': tf.TensorSpec([None], tf.int32),
        }

    def _state(self) -> dict[str, tf.TensorSpec]:
        shape = [None, self.model.config.hidden_units]
        return {n: tf.TensorSpec(shape, self.model.dtype) for n in self._encoder.state_names}

    def _wanted(self) -> dict[str, tf.TensorSpec]:
        """The inputs that tell `recall` which steps are wanted."""
        if self._recalls_by_distance:
            return {'distances': tf.TensorSpec([None], tf.int32)}
        wanted = {
            'first': tf.TensorSpec([None, *self._spec.step_shape], self._spec.dtype),
            'steps': tf.TensorSpec([], tf.int32),
        }
        if self.model.reconstruction is not None and self.model.reconstruction.knows_distance:
            wanted['distance'] = tf.TensorSpec([], tf.int32)
        return wanted

    def serve(self, tensors: Answers) -> Answers:
        """Classifies raw items.

        Args:
          tensors: 'data' string [B]: the bytes of a file each (an image, an array), or UTF-8 text.

        Returns:
          'class_name' string [B] ('' for an unreadable item), 'class_index' int32 [B] (-1),
          'probabilities' float32 [B, classes] (zeros), 'top_class_names' string [B, k] (''),
          'top_probabilities' float32 [B, k] (zeros), k = 5 or all, and 'readable' bool [B].
        """
        decoded = decode_batch(tensors['data'], self._spec)
        encoded = self._encoder.encode(decoded.inputs, decoded.lengths)
        return self._answers(encoded, decoded.readable)

    def decode(self, tensors: Answers) -> Answers:
        """Turns raw items into the sequences that the model reads.

        Args:
          tensors: 'data' as for `serve`.

        Returns:
          'inputs' and 'lengths' as `tokens` takes them, and 'readable' bool [B].
        """
        return decode_batch(tensors['data'], self._spec)._asdict()

    def tokens(self, tensors: Answers) -> Answers:
        """Classifies decoded sequences.

        Args:
          tensors: 'inputs' [B, T, C] values or [B, T] ids, of the records' dtype, each row's steps
            first; 'lengths' int32 [B], the number of steps in each row.

        Returns:
          As `serve`; a row of length 0 is not readable.
        """
        inputs, lengths = self._checked(tensors)
        return self._answers(self._encoder.encode(inputs, lengths), lengths > 0)

    def encode(self, tensors: Answers) -> Answers:
        """The state that raw items end in.

        Args:
          tensors: 'data' as for `serve`.

        Returns:
          The tensors of the state, float [B, U] each ('encoded' [B, F] where nothing is
          recurrent), and 'readable' bool [B].
        """
        decoded = decode_batch(tensors['data'], self._spec)
        if not self._encoder.state_names:
            encoded = self._encoder.encode(decoded.inputs, decoded.lengths)
            return {'encoded': encoded, 'readable': decoded.readable}
        state = self._encoder.start(tf.shape(decoded.inputs)[0])
        lengths = tf.where(decoded.readable, decoded.lengths, tf.zeros_like(decoded.lengths))
        state = self._encoder.advance(state, decoded.inputs, lengths)
        return {**state, 'readable': decoded.readable}

    def start(self, tensors: Answers) -> State:
        """'batch_size' int32 [] -> the state [B, U] of so many sequences that have not begun."""
        rows = tensors['batch_size']
        within = tf.logical_and(rows >= 1, rows <= MAX_BATCH)
        message = f'batch_size: 1 to {MAX_BATCH} is allowed, got'
        with tf.control_dependencies([tf.debugging.Assert(within, [message, rows])]):
            return self._encoder.start(tf.identity(rows))

    def advance(self, tensors: Answers) -> State:
        """The state after the next chunk.

        Args:
          tensors: the state; 'inputs' and 'lengths' as for `tokens`, of a chunk of any length T,
            0 included; a row's state is held behind its own steps.

        Returns:
          The state.
        """
        state = self._checked_state(tensors)
        inputs, lengths = self._checked(tensors, rows=tf.shape(state['h'])[0])
        return self._encoder.advance(state, inputs, lengths)

    def classify(self, tensors: Answers) -> Answers:
        """Classifies the steps read so far: the state -> the outputs of `serve`."""
        hidden = self._checked_state(tensors)['h']
        return self._answers(hidden, tf.ones([tf.shape(hidden)[0]], tf.bool))

    def recall(self, tensors: Answers) -> Answers:
        """Reconstructs steps that the model has read.

        Args:
          tensors: the state, and the wanted steps. For a readout: 'distances' int32 [N], at least
            1, where 1 is the last step that was read. For a decoder: 'first' [B, C] or ids [B], of
            the records' dtype, the true step before the wanted ones; 'steps' int32 [], their
            number; and, if the decoder knows distances, 'distance' int32 [], how far back 'first'
            lies.

        Returns:
          'values' [B, N or steps, C] or ids [B, N or steps], of the records' dtype.
        """
        state = self._checked_state(tensors)
        if self._recalls_by_distance:
            values = self._recall_at(state, tensors['distances'])
        else:
            values = self._recall_stretch(state, tensors)
        return {'values': values}

    def _recall_at(self, state: State, distances: tf.Tensor) -> tf.Tensor:
        least, message = tf.reduce_all(distances >= 1), 'distances: at least 1 is allowed'
        outputs = self.model.reconstruction.outputs
        said, most = tf.shape(state['h'])[0] * outputs, MAX_READ_OUT // outputs
        few = tf.debugging.Assert(
            tf.size(distances) <= most,
            [f'distances: at most {most} are allowed at once, got', tf.size(distances)],
        )
        in_all = _few('distances', tf.size(distances), said, most=MAX_SAID)
        checks = [tf.debugging.Assert(least, [message]), few, in_all]
        with tf.control_dependencies(checks):
            distances = tf.identity(distances)
        return recall_at(self.model, self._spec, LSTMState(**state), distances)

    def _recall_stretch(self, state: State, tensors: Answers) -> tf.Tensor:
        steps, first = tensors['steps'], tensors['first']
        distance = tensors.get('distance', tf.constant(1))
        message = 'distance: at least 1 is allowed, got'
        checks = [
            _few('steps', steps, tf.size(first), most=MAX_RECALLED),
            tf.debugging.Assert(distance >= 1, [message, distance]),
            _same_rows('first', tf.shape(first)[0], tf.shape(state['h'])[0]),
            *self._values('first', first),
        ]
        with tf.control_dependencies(checks):
            first, steps = tf.identity(first), tf.identity(steps)
        return recall_stretch(self.model, self._spec, LSTMState(**state), first, steps, distance)

    def _checked(
        self, tensors: Answers, *, rows: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the chunk; refuses it if its parts do not fit each other or the model."""
        inputs, lengths = tensors['inputs'], tensors['lengths']
        steps = tf.shape(inputs)[1]
        within = tf.reduce_all(tf.logical_and(lengths >= 0, lengths <= steps))
        message = 'lengths: 0 to the steps of inputs is allowed; steps and lengths:'
        checks = [
            _same_rows('lengths', tf.shape(lengths)[0], tf.shape(inputs)[0]),
            tf.debugging.Assert(within, [message, steps, lengths], summarize=8),
        ]
        if rows is not None:
            checks.append(_same_rows('inputs', tf.shape(inputs)[0], rows))
        checks += [_few_rows('inputs', inputs), _no_empty_giant(inputs)]
        checks += self._values('inputs', inputs)
        with tf.control_dependencies(checks):
            return tf.identity(inputs), tf.identity(lengths)

    def _values(self, name: str, values: tf.Tensor) -> list[tf.Operation]:
        """Refuses values that no decoded item can have."""
        size = self._spec.vocabulary_size
        if values.dtype.is_floating:
            finite = tf.reduce_all(tf.math.is_finite(values))
            return [tf.debugging.Assert(finite, [f'{name}: finite numbers are needed'])]
        if size is None or size > values.dtype.max:
            return []
        # Ids beyond the vocabulary would be read as zeros on a GPU, and fail on a CPU.
        known = tf.reduce_all(tf.cast(values, tf.int32) < size)
        return [tf.debugging.Assert(known, [f'{name}: ids 0 to {size - 1} are allowed'])]

    def _checked_state(self, tensors: Answers) -> State:
        """Returns the state; refuses tensors that do not form a state."""
        state = {name: tensors[name] for name in self._encoder.state_names}
        rows = tf.shape(state['h'])[0]
        checks = [_same_rows(name, tf.shape(t)[0], rows) for name, t in state.items()]
        checks.append(_few_rows('state', state['h']))
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(t)) for t in state.values()])
        message = 'state: finite numbers are needed; send the state of start or advance'
        checks.append(tf.debugging.Assert(finite, [message]))
        with tf.control_dependencies(checks):
            return {name: tf.identity(tensor) for name, tensor in state.items()}

    def _answers(self, encoded: tf.Tensor, readable: tf.Tensor) -> Answers:
        """Float [B, F] and bool [B] -> as `serve`."""
        probabilities = tf.nn.softmax(self._encoder.logits(encoded))
        # Of a state that no sequence leads to, sums may be infinite.
        finite = tf.reduce_all(tf.math.is_finite(probabilities), axis=-1)
        readable = tf.logical_and(readable, finite)
        shown = readable[:, tf.newaxis]
        probabilities = tf.where(shown, probabilities, tf.zeros_like(probabilities))
        top, indices = tf.math.top_k(probabilities, k=min(_TOP, len(self._class_names)))
        names = tf.gather(self._class_names, indices)
        names = tf.where(shown, names, tf.zeros_like(names))
        best = indices[:, 0]
        return {
            'class_name': names[:, 0],
            'class_index': tf.where(readable, best, -tf.ones_like(best)),
            'probabilities': probabilities,
            'top_class_names': names,
            'top_probabilities': top,
            'readable': readable,
        }


def _same_rows(name: str, found: tf.Tensor, wanted: tf.Tensor) -> tf.Operation:
    message = f'{name}: as many rows as the other inputs are needed; found and wanted:'
    return tf.debugging.Assert(tf.equal(found, wanted), [message, found, wanted])


def _few(name: str, steps: tf.Tensor, values: tf.Tensor, *, most: int) -> tf.Operation:
    """Refuses to recall too many steps, of `values` values each."""
    all_values = tf.cast(values, tf.int64) * tf.cast(steps, tf.int64)
    within = tf.reduce_all([steps >= 1, steps <= MAX_STEPS, all_values <= most])
    message = f'{name}: 1 to {MAX_STEPS}, and {most} values in all rows, are allowed; {name}:'
    return tf.debugging.Assert(within, [message, steps])


def _few_rows(name: str, tensor: tf.Tensor) -> tf.Operation:
    rows = tf.shape(tensor)[0]
    message = f'{name}: at most {MAX_BATCH} rows are allowed, got'
    return tf.debugging.Assert(rows <= MAX_BATCH, [message, rows])


def _no_empty_giant(inputs: tf.Tensor) -> tf.Operation:
    """Refuses a batch without rows whose shape has too many steps: its size in bytes is 0."""
    rows, steps = tf.unstack(tf.shape(inputs)[:2])
    message = f'inputs: at most {MAX_STEPS} steps are allowed without any row, got'
    within = tf.logical_or(rows > 0, steps <= MAX_STEPS)
    return tf.debugging.Assert(within, [message, steps])
