"""Pictures by matplotlib, without a screen."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@contextlib.contextmanager
def panels(
    path: str | Path | IO[bytes],
    *,
    size: tuple[float, float],
    rows: int = 1,
    columns: int = 1,
    dpi: int = 120,
    sharey: bool = False,
) -> Iterator['np.ndarray']:
    """Gives empty panels to draw on, and writes the picture at the end of the `with` block.

    Args:
      path: the picture to write, in the format that its suffix names; an open file gets an SVG.
      size: width and height of the whole picture, in inches.
      rows: of panels.
      columns: of panels.
      dpi: pixels an inch.
      sharey: whether all panels have the same y axis.

    Yields:
      matplotlib's axes, [rows, columns].

    Raises:
      OSError: if the picture cannot be written.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        rows, columns, figsize=size, layout='constrained', squeeze=False, sharey=sharey
    )
    try:
        yield axes
        figure.savefig(path, dpi=dpi, **_settings(path))
    finally:
        pyplot.close(figure)


def _settings(path: str | Path | IO[bytes]) -> dict[str, Any]:
    """Without the library's name and version: the same numbers are the same file."""
    if not isinstance(path, (str, Path)):
        return {'format': 'svg', 'metadata': {'Creator': None, 'Date': None}}
    return {'metadata': {'Software': None}} if Path(path).suffix == '.png' else {}
