"""The page of one run."""

import functools
from collections.abc import Callable

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from tools.report import curves, mistakes, overview, quality, reconstructions, settings
from tools.report.examples import records_of
from tools.report.page import frame
from tools.report.parts import Section, section
from tools.report.run_files import RunFiles
from tools.report.weights import Weights, load


def page(run: RunFiles) -> str:
    """All that is known of a run, as HTML; what is missing is named, with the reason."""
    return frame(f'{run.name} - report', overview.header(run), _sections(run))


def _sections(run: RunFiles) -> list[Section]:
    # Made when a section asks first; what they refuse is the reason why that section is missing.
    examples = functools.cache(lambda: records_of(run))
    weights = functools.cache(lambda: load(run))
    return [
        section('Learning', lambda: curves.learning(run)),
        section('Classes', lambda: quality.draw(run)),
        section('Worst mistakes', lambda: mistakes.worst(run, examples(), _readable(weights))),
        section('When it knows', lambda: mistakes.knowing(run, examples(), weights())),
        section('Memory', lambda: curves.memory(run)),
        section('Reconstructions', lambda: reconstructions.draw(run, examples(), weights())),
        section('Auxiliary losses', lambda: curves.auxiliary(run)),
        section('Gradients', lambda: curves.reach(run)),
        section('Configuration', lambda: settings.draw(run)),
    ]


def _readable(weights: Callable[[], Weights]) -> Weights | None:
    """The weights, if they can be had and read a sequence chunk by chunk."""
    try:
        found = weights()
    except (LonghaulError, tf.errors.OpError, OSError):
        return None
    return found if found.model.state_names else None
