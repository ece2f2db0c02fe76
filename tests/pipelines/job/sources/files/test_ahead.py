"""Values in order, some read ahead, never more than asked for."""

import threading

import pytest

from pipelines.job.sources.files.ahead import look_ahead


@pytest.mark.parametrize('count', [0, 1, 3, 50])
@pytest.mark.parametrize('keys', [0, 1, 20])
def test_values_come_in_order(count, keys):
    assert list(look_ahead(lambda k: k * k, range(keys), count)) == [k * k for k in range(keys)]


def test_reads_run_at_once_but_not_too_far():
    meeting, read = threading.Barrier(3), []

    def meet(key):
        read.append(key)
        if key < 3:
            # Three wait for each other: one after another, nobody would come.
            meeting.wait(timeout=30)
        return key

    values = look_ahead(meet, range(100), 3)
    assert [next(values) for _ in range(3)] == [0, 1, 2]
    values.close()
    assert set(read) <= set(range(6))


def test_an_error_comes_in_its_place():
    values = look_ahead(lambda k: 1 // k, [1, 1, 0, 1], 4)
    assert [next(values), next(values)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(values)
