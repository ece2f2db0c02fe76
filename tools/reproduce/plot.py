"""Pictures of a queue's results: validation accuracy over epochs and over wall time."""

from pathlib import Path
from typing import Any

from tools import drawing
from tools.reproduce import lines as results


def draw(lines: list[dict[str, Any]], output: Path) -> None:
    """Draws every run that has been validated twice, a colour for each gin file.

    Args:
      lines: of a queue's results.
      output: the PNG file to write.
    """
    methods: dict[str, int] = {}
    with drawing.panels(output, columns=2, size=(9.6, 3.8), dpi=110, sharey=True) as axes:
        over_epochs, over_time = axes[0]
        for run in dict.fromkeys(line['run'] for line in lines):
            found = [
                line
                for line in results.validations(lines, run)
                if line['validation_accuracy'] is not None
            ]
            if len(found) < 2:
                continue
            method = Path(found[0]['gin_file']).stem
            colour = f'C{methods.setdefault(method, len(methods))}'
            accuracy = [100 * line['validation_accuracy'] for line in found]
            style = {'color': colour, 'linewidth': 1.2, 'marker': 'o', 'markersize': 2}
            over_epochs.plot([line['epochs'] for line in found], accuracy, **style)
            over_time.plot([line['seconds'] / 60 for line in found], accuracy, **style)
        for method, number in methods.items():
            over_epochs.plot([], [], color=f'C{number}', label=method)
        over_epochs.set(xlabel='epochs, pre-training counted', ylabel='validation accuracy (%)')
        over_time.set(xlabel='wall time (minutes)')
        for panel in axes[0]:
            panel.grid(alpha=0.3)
        if methods:
            over_epochs.legend(loc='lower right')
