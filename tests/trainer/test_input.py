"""Batches from records: right-aligned, the same on any number of replicas, anchors of the epoch."""

import numpy as np
import pytest

from pipelines.format import anchors, records
from trainer.config import ObjectiveConfig
from trainer.input import Rows, SplitInput

OBJECTIVE = ObjectiveConfig(auxiliary_steps=16, reconstruction_weight=1.0)


def split(folder, objective=OBJECTIVE, seed=0, name='train') -> SplitInput:
    return SplitInput(folder, name, records.read_info(folder), objective, seed=seed)


def take(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def batches(source, first_step, count, parts=None, batch_size=8):
    order = source.order(batch_size)
    parts = parts or [Rows(0, 1)]
    return take(source.training(order, first_step=first_step, parts=parts), count)


def test_starts_at_any_step_without_reading_what_came_before(digit_records):
    whole = batches(split(digit_records), 0, 12)
    later = batches(split(digit_records), 7, 5)
    for a, b in zip(whole[7:], later, strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_two_replicas_and_two_workers_see_the_global_batch(digit_records):
    source = split(digit_records)
    whole = batches(source, 3, 2)
    replicas = batches(source, 3, 4, [Rows(0, 2), Rows(1, 2)])
    workers = [batches(source, 3, 2, [Rows(w, 2)]) for w in range(2)]
    for key in whole[0]:
        for step in range(2):
            halves = [r[key] for r in replicas[2 * step : 2 * step + 2]]
            np.testing.assert_array_equal(np.concatenate(halves), whole[step][key], err_msg=key)
            halves = [w[step][key] for w in workers]
            np.testing.assert_array_equal(np.concatenate(halves), whole[step][key], err_msg=key)


def drawn(source, batch, epoch, seed=0, k=1, steps=16):
    lengths = batch['lengths']
    return anchors.sample_anchors(
        seed=seed,
        sets=[epoch],
        id_hashes=np.array([anchors.id_hash(i) for i in source.ids(batch['rows'])], np.uint64),
        lengths=lengths,
        auxiliary_steps=anchors.auxiliary_length(lengths, steps, fixed_length=True),
        anchors_per_sequence=k,
    )


@pytest.mark.parametrize('epoch', [0, 1, 2, 5])
def test_anchors_are_those_of_the_epoch_stored_or_drawn(digit_records, epoch):
    source = split(digit_records)
    first = epoch * source.order(8).steps_per_epoch
    batch = batches(source, first, 1)[0]
    want = drawn(source, batch, epoch)
    for name, array in zip(('r_anchors', 'r_starts', 'p_anchors'), want, strict=True):
        np.testing.assert_array_equal(batch[name], array[:, 0])


def test_stored_anchors_are_read_and_not_drawn(digit_records):
    """Another function would be drawn from here; the stored integers must come all the same."""
    source = split(digit_records)
    source._draw_anchors = lambda entries, epoch: [np.full([len(entries), 1], -7, np.int32)] * 3
    assert (batches(source, 0, 1)[0]['r_anchors'] >= 16).all()
    beyond = 2 * source.order(8).steps_per_epoch
    assert (batches(source, beyond, 1)[0]['r_anchors'] == -7).all()


def test_other_settings_than_the_stored_ones_are_drawn(digit_records):
    objective = ObjectiveConfig(
        auxiliary_steps=10, anchors_per_sequence=3, reconstruction_weight=1.0
    )
    source = split(digit_records, objective, seed=5)
    batch = batches(source, 0, 1)[0]
    want = drawn(source, batch, 0, seed=5, k=3, steps=10)
    np.testing.assert_array_equal(batch['r_starts'], want.r_starts[:, 0])


def test_without_a_loss_that_uses_them_anchors_need_not_fit(digit_records):
    """A plain LSTM reads sequences shorter than the default `auxiliary_steps`."""
    source = split(digit_records, ObjectiveConfig(auxiliary_steps=600, anchors_per_sequence=3))
    for name in ('r_anchors', 'r_starts', 'p_anchors'):
        np.testing.assert_array_equal(batches(source, 0, 1)[0][name], np.zeros([8, 3]))


def test_documents_are_right_aligned(text_records):
    info = records.read_info(text_records)
    seen = set()
    for batch in batches(split(text_records), 0, 10):
        columns = batch['inputs'].shape[1]
        assert columns % info.segment_steps == 0
        seen.add(columns)
        for row, length in zip(batch['inputs'], batch['lengths'], strict=True):
            assert (row[: columns - length] == 0).all()
            assert (row[columns - length :] != 0).all()
    assert len(seen) > 1


def test_evaluation_has_every_example_once(text_records):
    source = split(text_records, name='test')
    found = []
    dataset = source.evaluation(batch_size=8, parts=[Rows(0, 1)])
    for batch in dataset.as_numpy_iterator():
        found.extend(batch['rows'][batch['counted']])
    assert sorted(found) == list(range(len(source.reader)))
    hashes = [anchors.id_hash(name) for name in source.ids(found)]
    np.testing.assert_array_equal(hashes, source.reader.entries['id_hash'][found])


def test_no_batch_holds_a_string(text_records):
    """Ids stay on the host: accelerators hold numbers only."""
    batch = batches(split(text_records), 0, 1)[0]
    assert {v.dtype.kind for v in batch.values()} == {'u', 'i', 'b'}


def test_coins_follow_the_teacher_forcing_rate_and_the_step(digit_records):
    def fed(rate, step):
        objective = ObjectiveConfig(
            auxiliary_steps=16, reconstruction_weight=1.0, teacher_forcing_rate=rate
        )
        return batches(split(digit_records, objective), step, 1, batch_size=64)[0]['fed']

    assert fed(1.0, 0).shape == (64, 1, 0)
    assert not fed(0.0, 0).any()
    assert abs(fed(0.3, 0).mean() - 0.3) < 0.05
    np.testing.assert_array_equal(fed(0.3, 1), fed(0.3, 1))
    assert (fed(0.3, 0) != fed(0.3, 1)).any()


def test_teacher_forcing_moves_from_the_first_rate_to_the_last(digit_records):
    objective = ObjectiveConfig(
        auxiliary_steps=16,
        reconstruction_weight=1.0,
        teacher_forcing_final_rate=0.0,
        teacher_forcing_decay_steps=100,
    )
    shares = [
        batches(split(digit_records, objective), step, 1, batch_size=64)[0]['fed'].mean()
        for step in (0, 25, 75, 100, 5000)
    ]
    np.testing.assert_allclose(shares, [1, 0.75, 0.25, 0, 0], atol=0.05)
    assert shares[0] == 1
    assert shares[-2] == shares[-1] == 0
