"""Pictures of a queue's results: validation accuracy over epochs and over wall time."""

from pathlib import Path
from typing import Any

from tools.reproduce import lines as results


def draw(lines: list[dict[str, Any]], output: Path) -> None:
    """Draws every run that has been validated twice, a colour for each gin file.

    Args:
      lines: of a queue's results.
      output: the PNG file to write.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9.6, 3.8), layout='constrained', sharey=True)
    methods: dict[str, int] = {}
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
        panels[0].plot([line['epochs'] for line in found], accuracy, **style)
        panels[1].plot([line['seconds'] / 60 for line in found], accuracy, **style)
    for method, number in methods.items():
        panels[0].plot([], [], color=f'C{number}', label=method)
    panels[0].set(xlabel='epochs, pre-training counted', ylabel='validation accuracy (%)')
    panels[1].set(xlabel='wall time (minutes)')
    for panel in panels:
        panel.grid(alpha=0.3)
    if methods:
        panels[0].legend(loc='lower right')
    figure.savefig(output, dpi=110, metadata={'Software': None})
    pyplot.close(figure)
