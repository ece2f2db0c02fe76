"""The demonstration from its first step to its last, and the table at its end."""

import time

from pipelines.format.errors import LonghaulError
from tools.demo.steps import MODELS, SERVED, Count, Demo


def run(demo: Demo) -> None:
    """Runs all steps and prints the table.

    Raises:
      LonghaulError: if the served model does not agree with the trainer.
      SystemExit: if a command fails, which has said why.
    """
    started = time.monotonic()
    demo.run_job()
    for model in MODELS:
        demo.train(model)
    demo.export()
    labels = demo.write_images()
    answers = demo.answers()
    served = Count(sum(labels[file] == name for file, name in answers.items()), len(answers))
    demo.draw()
    print(f'\n{report(demo, served)}')
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f'\ndone in {minutes} min {seconds} s')
    expected = demo.evaluated(SERVED)
    if served != expected:
        raise LonghaulError(
            f'the served model names {served.right} of {served.total} digits right, the trainer '
            f'{expected.right}: report that as a bug'
        )


def report(demo: Demo, served: Count) -> str:
    """The closing table, and where everything lies; `served`: the export's answers."""
    lines = [
        f'Digits at {demo.side}x{demo.side}, one pixel a step, then {demo.pixels} blank steps: '
        f'{demo.steps} steps; {demo.train_steps} training steps each.',
        f'Test split, {served.total} digits, 95 % intervals; memory: what a linear probe reads of '
        'the past from the last state.',
        '',
        f'  {"":<24}{"accuracy":>8}   {"interval":<17}{"gradient over":>14}{"memory":>10}'
        f'{"training":>11}',
        *(_model_row(demo, model) for model in MODELS),
        f'{_row(f"{SERVED}, served", served)}   SavedModel, raw PNG files, a fresh process',
        '',
        f'records       {demo.records}',
        f'runs          {", ".join(str(demo.folder(model)) for model in MODELS)}',
        f'TensorBoard   tensorboard --logdir={demo.output}',
        f'SavedModel    {demo.exported}',
        f'pictures      {", ".join(map(str, demo.pictures))}',
    ]
    return '\n'.join(lines)


def _model_row(demo: Demo, model: str) -> str:
    memory = demo.evaluation(model)['memory_curve']['total']
    return (
        f'{_row(model, demo.evaluated(model))}{demo.reach(model):>14}{memory:>10.0%}'
        f'{demo.seconds(model):>9.0f} s'
    )


def _row(name: str, count: Count) -> str:
    from trainer.monitoring.confidence import wilson_interval

    low, high = wilson_interval(*count)
    interval = f'{low:.1%} to {high:.1%}'
    return f'  {name:<24}{count.right / count.total:>8.1%}   {interval:<17}'
