"""The child's side of `input`: steps from records beside the same steps from memory."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

from tools.benchmark.in_child import Tell


def measure(asked: dict[str, Any], tell: Tell) -> None:
    """Times the trainer's own step, compiled once, on the same batches from both sources.

    Args:
      asked: 'data', for people; 'gin_file', 'gin_params' and 'records' of the experiment; 'steps'
        of a block; 'repeats', blocks of each source. The first block of each, which traces, is not
        counted.
      tell: takes a row: seconds a step from each source, and the ratio of records to memory, of
        each pair of blocks and in the middle.
    """
    import tensorflow as tf

    from pipelines.format import records
    from trainer import bindings
    from trainer.data.replicas import ReplicaBatches
    from trainer.devices import execution
    from trainer.training.loop import PhaseTrainer, distribute
    from trainer.training.optimizers import make_optimizer
    from trainer.training.splits import Splits
    from trainer.training.state import TrainedState
    from trainer.training.task import InputRequest

    steps = asked['steps']
    config = bindings.load(
        gin_files=[asked['gin_file']],
        gin_params=asked['gin_params'],
        records=asked['records'],
    )
    how = execution.prepare(config, tpu=False)
    strategy = tf.distribute.OneDeviceStrategy('CPU:0')
    execution.start_compiler(how)
    splits = Splits(config, records.read_info(asked['records']), strategy, how)
    split = splits.split('train')

    class Feed(ReplicaBatches):
        """Batches from whichever source is set; the replicas have their parts already."""

        source: Iterator[Any] = iter(())

        def __iter__(self) -> Iterator[Any]:
            while True:
                yield next(self.source)

    feed = Feed(strategy, ())
    with strategy.scope():
        state = TrainedState.make(config, splits.task())
        optimizer = make_optimizer(config.optimizer, phase_steps=10**6)
        optimizer.build(state.model.trainable_variables)
        trainer = PhaseTrainer(
            splits.task(),
            model=state.model,
            optimizer=optimizer,
            global_step=state.global_step,
            dataset=feed,
        )
    request = InputRequest(split, split.order(config.data.batch_size), 0)
    from_records = distribute(strategy, splits.task(), request)
    first = iter(from_records)
    in_memory = [next(first) for _ in range(steps)]

    def seconds(source: Iterator[Any]) -> float:
        """Seconds of a step, over one block."""
        feed.source = source
        begun = time.perf_counter()
        trainer.train(tf.constant(steps))
        return (time.perf_counter() - begun) / steps

    # A new iterator for each block, which has read nothing ahead.
    blocks = [
        (seconds(iter(in_memory)), seconds(iter(from_records))) for _ in range(asked['repeats'] + 1)
    ][1:]
    ratios = [slow / fast for fast, slow in blocks]
    tell(
        data=asked['data'],
        batches=f'{steps} of {config.data.batch_size}',
        memory_seconds=statistics.median(fast for fast, _ in blocks),
        records_seconds=statistics.median(slow for _, slow in blocks),
        ratio=statistics.median(ratios),
        ratios=ratios,
    )
