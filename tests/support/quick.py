"""Which of many alike cases the quick suite takes; `make test-long` takes the rest."""

import pytest


def quick_or_long(cases, quick):
    """Parameters for `parametrize`: those whose name is not in `quick` are marked long.

    A case is its name, or a tuple that begins with it.
    """
    names = [case[0] if isinstance(case, tuple) else case for case in cases]
    assert set(quick) <= set(names), set(quick) - set(names)
    found = []
    for case, name in zip(cases, names, strict=True):
        values = case if isinstance(case, tuple) else (case,)
        marks = () if name in quick else (pytest.mark.long,)
        found.append(pytest.param(*values, marks=marks))
    return found
