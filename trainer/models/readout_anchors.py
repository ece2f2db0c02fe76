"""The states that readouts read and the steps that they predict; many anchors share one window."""

from typing import NamedTuple

import tensorflow as tf

from trainer.bptt.sequences import Sequences, stack_rows


class ReadoutAnchors(NamedTuple):
    """M anchors in each of W windows of B rows.

    `places`: int32 [M, W*B], the step of the window after which each anchor's state stands.
    `positions`: int32 [M, W*B], the anchors as positions in the padded batch. Both in the order of
    `gather_columns`. `fixed`: whether `places` are the same in all windows.
    """

    places: tf.Tensor
    positions: tf.Tensor
    fixed: bool

    @classmethod
    def of(
        cls, starts: tf.Tensor, *, padding: tf.Tensor | None, steps: int, count: int
    ) -> 'ReadoutAnchors':
        """Spreads anchors evenly: anchor j of M stands after ceil(j S_i / M) of S_i steps.

        Args:
          starts: int32 [B, W], of the windows.
          padding: int32 [B]; the padding at the beginning of a window does not count. None: none.
          steps: S, static.
          count: M.
        """
        begins = stack_rows(starts)
        skipped = tf.zeros_like(begins)
        if padding is not None:
            skipped = tf.maximum(stack_rows(padding[:, tf.newaxis] - starts), 0)
        j = tf.range(1, count + 1)[:, tf.newaxis]
        read = -(-j * (steps - skipped) // count)
        places = skipped + read - 1
        return cls(places, begins + places + 1, padding is None)

    def pick(self, hidden: tf.Tensor) -> tf.Tensor:
        """Picks the hidden states at the anchors: [S, W*B, U] -> [M*W*B, U]."""
        count, rows = self.places.shape
        if self.fixed:
            found = tf.gather(hidden, self.places[:, 0])
        else:
            by_row = tf.transpose(hidden, [1, 0, 2])
            found = tf.gather(by_row, tf.transpose(self.places), batch_dims=1)
            found = tf.transpose(found, [1, 0, 2])
        return tf.reshape(found, [count * rows, hidden.shape[2]])

    def asked(
        self, sequences: Sequences, distances: tf.Tensor, *, future: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The true steps at the distances from each anchor.

        Args:
          sequences: of the batch.
          distances: int32 [N], at least 1.
          future: True: distances lead ahead, and 1 is the first step that was not read. False: they
            lead back, and 1 is the last step that was read.

        Returns:
          LSTM inputs [M*W*B, N, C] or ids [M*W*B, N], and whether the row has a step there, bool
          [M*W*B, N].
        """
        batch, total = sequences.inputs.shape[:2]
        steps = distances - 1 if future else -distances
        positions = tf.reshape(self.positions, [-1, 1]) + steps
        begin = tf.zeros([batch], tf.int32) if sequences.padding is None else sequences.padding
        begins = tf.tile(begin, [positions.shape[0] // batch])[:, tf.newaxis]
        valid = tf.logical_and(positions >= begins, positions < total)
        positions = tf.clip_by_value(positions, 0, total - 1)
        # Rows of the batch first, as they lie in memory.
        by_row = tf.transpose(tf.reshape(positions, [-1, batch, distances.shape[0]]), [1, 0, 2])
        columns = tf.gather(sequences.inputs, by_row, batch_dims=1)
        columns = tf.transpose(columns, [1, 0, *range(2, columns.shape.rank)])
        columns = tf.reshape(columns, [-1, *columns.shape[2:]])
        return sequences.decode(columns), valid
