"""Checks of configuration values; each refusal names class, field and value."""

from typing import Any

from pipelines.format.errors import LonghaulError

# Schedules compute with floats of 64 bits, which skip whole numbers beyond it.
MOST = 1 << 53


def require(owner: Any, name: str, allowed: bool, rule: str) -> None:
    """Refuses a configuration value unless it is allowed; `rule` says what is allowed."""
    if not allowed:
        raise LonghaulError(
            f'{type(owner).__name__}.{name}={getattr(owner, name)!r}: {rule}. Change it in the gin '
            f'file or with --gin_param="{type(owner).__name__}.{name}=..."'
        )


def require_counts(owner: Any, *, least: dict[str, int], most: int = MOST) -> None:
    """Refuses fields that are not whole numbers of at least `least[name]` and at most `most`."""
    for name, minimum in least.items():
        value = getattr(owner, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        require(owner, name, whole and value >= minimum, f'a whole number >= {minimum} is needed')
        require(owner, name, value <= most, f'a whole number <= {most} is needed')


def require_bools(owner: Any, *names: str) -> None:
    """Refuses fields that are neither True nor False."""
    for name in names:
        require(owner, name, isinstance(getattr(owner, name), bool), 'True or False is needed')


def require_range(owner: Any, name: str, low: float, high: float) -> None:
    """Refuses a field that is not a number in low..high."""
    value = getattr(owner, name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    require(owner, name, number and low <= value <= high, f'a number in {low}..{high} is needed')
