"""Tests of properties: what holds for any input, tried on many that hypothesis makes up."""

import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, configuration, given, settings
from hypothesis import strategies as st

# It keeps tables of Unicode and of constants: not beside the code, and no longer than the tests.
_HOME = tempfile.TemporaryDirectory(prefix='hypothesis-')
configuration.set_hypothesis_home_dir(_HOME.name)
settings.register_profile(
    'longhaul',
    # The same examples in every run, and nothing remembered from one to the next.
    derandomize=True,
    database=None,
    # Other processes use the cores too, and the first example traces a graph.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def holds(examples: int, **given_: st.SearchStrategy) -> Callable:
    """A test of a property; another one, of ten times as many examples, is `long`.

    Args:
      examples: how many the quick test tries.
      **given_: where the function's arguments come from.
    """

    def decorate(function: Callable) -> Callable:
        many = pytest.param(10 * examples, marks=pytest.mark.long)

        @pytest.mark.parametrize('count', [examples, many])
        def test(count: int) -> None:
            profile = settings(settings.get_profile('longhaul'), max_examples=count)
            profile(given(**given_)(function))()

        test.__name__, test.__doc__ = function.__name__, function.__doc__
        return test

    return decorate


def outcome(refusal: type[Exception], function: Callable, *args) -> tuple[Any, Exception | None]:
    """(what the function returns, None), or (None, the refusal); any other error is a failure."""
    try:
        return function(*args), None
    except refusal as error:
        return None, error


@st.composite
def damaged(draw: Callable, sound: st.SearchStrategy, *, favourites: bytes = b'') -> bytes:
    """A file with some bits, bytes or pieces changed, put in, taken out or moved.

    Args:
      draw: of hypothesis.
      sound: files.
      favourites: bytes that are put in more often than others.
    """
    data = bytearray(draw(sound))
    byte = st.integers(0, 255)
    if favourites:
        byte = st.one_of(byte, st.sampled_from(favourites))
    for _ in range(draw(st.integers(1, 4))):
        how = draw(st.sampled_from(['flip', 'change', 'put in', 'take out', 'move', 'cut off']))
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        if how == 'put in':
            data[at:at] = bytes(draw(st.lists(byte, min_size=1, max_size=4)))
        elif not data:
            continue
        elif how == 'flip':
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == 'change':
            data[at] = draw(byte)
        elif how == 'cut off':
            del data[at:]
        else:
            piece = data[at : at + draw(st.integers(1, 4))]
            del data[at : at + len(piece)]
            if how == 'move':
                to = draw(st.integers(0, len(data)))
                data[to:to] = piece
    return bytes(data)
