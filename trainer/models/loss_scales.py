"""The scales that divide relative losses: the loss of predicting the training split's average."""

from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from pipelines.format.scales import ValueScales, read_scales
from trainer.config import Config
from trainer.models.step_losses import StepLoss

_LEAST = 1e-10


def loss_scales(
    config: Config, info: RecordsInfo, measured: ValueScales | None = None
) -> tuple[float, ...] | None:
    """The scales of `StepLoss`; None if losses are not relative.

    Args:
      config: of the run.
      info: of the records.
      measured: None: they are read from the records' stats.json.

    Raises:
      LonghaulError: if stats.json lacks the scales, because an older job wrote it.
    """
    objective = config.objective
    if not (objective.auxiliary and objective.relative_losses):
        return None
    found = measured or read_scales(config.data.records, info)
    entropies = info.spec.kind == 'text' or objective.levels(info.spec) is not None
    scales = found.entropy if entropies else found.variance
    if scales is None:
        raise LonghaulError(
            f'ObjectiveConfig.relative_losses=True: stats.json in {config.data.records} has no '
            f'{"entropy" if entropies else "deviation"} of the training split; write the records '
            'again with python -m pipelines.main --overwrite, or set '
            '--gin_param="ObjectiveConfig.relative_losses=False"'
        )
    # The variance of a channel that is always the same may be a rounding error.
    return tuple(scale if scale > _LEAST else 0.0 for scale in scales)


def step_loss(config: Config, info: RecordsInfo, measured: ValueScales | None = None) -> StepLoss:
    """The loss of a step of these records; the arguments are those of `loss_scales`.

    Raises:
      LonghaulError: see `loss_scales`.
    """
    levels, scales = config.objective.levels(info.spec), loss_scales(config, info, measured)
    averages = None
    if scales is not None and levels is None:
        averages = (measured or read_scales(config.data.records, info)).mean
    return StepLoss(levels, scales, averages)
