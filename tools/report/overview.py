"""What was trained, and how well: the head of a report."""

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from tools.inspect import markup
from tools.inspect.drawings import DRAWINGS
from tools.report.parts import facts, percent
from tools.report.run_files import RunFiles
from trainer.models.architectures import method
from trainer.monitoring.progress import duration

_KINDS = {'image': 'Images', 'text': 'Documents', 'signal': 'Signals'}


def header(run: RunFiles) -> str:
    """Name, task, model and the figures that matter."""
    return (
        f'<h1>{markup.name(run.name)}</h1><p class="lead">{_task(run)}<br>{model(run)}</p>'
        f'{facts(figures(run))}{_state(run)}'
    )


def _task(run: RunFiles) -> str:
    try:
        said = DRAWINGS[run.spec.kind].describe(records.read_info(run.records))
    except LonghaulError:
        # The records are elsewhere by now.
        said = _KINDS[run.spec.kind]
    classes = f'{len(run.class_names):,} classes' if run.class_names else 'no classes'
    steps = run.spec.fixed_length
    length = f'; {steps:,} steps each' if steps else ''
    return f'{markup.text(said)}{length}; {classes}'


def model(run: RunFiles) -> str:
    """The model in some words, as HTML."""
    if run.config is None:
        return 'A model whose configuration is not known'
    sizes, objective = run.config.model, run.config.objective
    said = f'{method(run.config)}, {sizes.hidden_units:,} units'
    if sizes.architecture == 'transformer':
        said = f'Transformer, {sizes.embedding_units:,} units'
    else:
        said += f', gradients over {objective.supervised_bptt_steps:,} steps'
    if objective.reconstruction_weight:
        said += f'; r loss by a {objective.reconstruction_form}'
    if objective.prediction_weight:
        said += f'; p loss by {objective.prediction_form}'
    if objective.replicated:
        said += '; supervised loss at the anchors too'
    return markup.text(said)


def figures(run: RunFiles) -> dict[str, str]:
    """The figures that matter, as text by name; '-' where the folder does not know."""
    evaluation, result = run.evaluation, run.result
    split = next(iter(run.evaluations), 'test')
    known = bool(evaluation.get('labelled'))
    low, high = evaluation.get('accuracy_low'), evaluation.get('accuracy_high')
    curve = result.get('memory_curve') or evaluation.get('memory_curve')
    interval = f' ({low:.2%} to {high:.2%})' if known and low is not None else ''
    found = {
        f'{split} accuracy{interval}': percent(evaluation['accuracy']) if known else '-',
        'examples': f'{evaluation["labelled"]:,.0f}' if known else '-',
    }
    if known and isinstance(evaluation.get('top_5_accuracy'), float):
        found['top 5'] = percent(evaluation['top_5_accuracy'])
    return found | {
        'memory': percent(curve['total'], 0) if curve else '-',
        'training steps': f'{last_step(run):,}',
        'wall time': duration(result['seconds']) if 'seconds' in result else '-',
        'peak memory': f'{result["peak_memory_mb"]:,.0f} MB' if 'peak_memory_mb' in result else '-',
    }


def last_step(run: RunFiles) -> int:
    """Steps taken, as far as the small files know."""
    if 'steps' in run.result:
        return int(run.result['steps'])
    return int(run.validations[-1]['step']) if run.validations else 0


def _state(run: RunFiles) -> str:
    if run.result.get('finished'):
        return ''
    total = run.config.run.total_steps if run.config else 0
    asked = f' of {total:,} steps' if total else ''
    return f'<p>This run is not finished: {last_step(run):,}{asked}.</p>'
