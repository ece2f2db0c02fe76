"""Models and objectives by ModelConfig.architecture: the one place that knows all of them."""

from typing import Any

import gin

from pipelines.format.spec import SequenceSpec
from trainer.config import Config
from trainer.models.baselines.gru import GRUClassifier
from trainer.models.baselines.objective import SupervisedObjective
from trainer.models.long_sequence import LongSequenceModel
from trainer.models.objective import Objective, TruncatedObjective
from trainer.models.protocol import Model
from trainer.models.step_losses import StepLoss


def make_model(
    config: Config,
    spec: SequenceSpec,
    *,
    classes: int,
    loss: StepLoss | None = None,
) -> Model:
    """The run's model, with the auxiliary parts that its objective uses.

    Args:
      config: of the run.
      spec: of the sequences.
      classes: number of classes.
      loss: of a step, for the auxiliary losses; None: the model is not trained.

    Returns:
      A new model with its initial values.
    """
    sizes = {
        'input_rows': spec.vocabulary_size or spec.channels,
        'classes': classes,
        'seed': config.run.seed,
    }
    if config.model.architecture == 'gru':
        return GRUClassifier(config.model, **sizes)
    if config.model.architecture == 'transformer':
        # Imported only for a transformer, since the import takes time and memory. Model Garden's
        # layers register themselves with gin, which is locked after it has parsed.
        with gin.unlock_config():
            from trainer.models.baselines.transformer import TransformerClassifier

        return TransformerClassifier(config.model, **sizes)
    return LongSequenceModel(
        config.model,
        objective=config.objective,
        loss=loss or StepLoss(config.objective.levels(spec)),
        **sizes,
    )


def make_objective(
    config: Config, segment_steps: int, *, supervised: bool = True
) -> Objective[Any]:
    """The losses of the run's model.

    Args:
      config: of the run.
      segment_steps: steps of a stored segment.
      supervised: False: the auxiliary losses alone.
    """
    kind = TruncatedObjective if config.model.architecture == 'lstm' else SupervisedObjective
    return kind(config.objective, segment_steps, supervised)


def method(config: Config) -> str:
    """What people call the run's model: 'LSTM', 'r-LSTM', 'p-LSTM', 'rp-LSTM', 'GRU', ..."""
    if config.model.architecture != 'lstm':
        return {'gru': 'GRU', 'transformer': 'Transformer'}[config.model.architecture]
    objective = config.objective
    letters = [('r', objective.reconstruction_weight), ('p', objective.prediction_weight)]
    used = ''.join(letter for letter, weight in letters if weight)
    return f'{used}-LSTM' if used else 'LSTM'
