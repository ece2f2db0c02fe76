"""The configuration of a run, and what it was computed with."""

import dataclasses
import typing
from typing import Any

from tools.inspect import markup
from tools.report.parts import facts, folded, table
from tools.report.run_files import RunFiles
from trainer.config import Config, default_of
from trainer.monitoring.progress import duration


def flat(config: Config) -> dict[str, Any]:
    """'RunConfig.seed' -> value, for all settings."""
    return {
        f'{type(section).__name__}.{name}': value
        for section in (getattr(config, field.name) for field in dataclasses.fields(config))
        for name, value in dataclasses.asdict(section).items()
    }


def defaults() -> dict[str, Any]:
    """As `flat`, with the values that nobody has set."""
    kinds = typing.get_type_hints(Config).values()
    return {f'{k.__name__}.{f.name}': default_of(f) for k in kinds for f in dataclasses.fields(k)}


def changed(run: RunFiles) -> dict[str, Any]:
    """The settings that differ from the defaults; {} without a configuration."""
    if run.config is None:
        return {}
    usual = defaults()
    return {name: value for name, value in flat(run.config).items() if value != usual[name]}


def draw(run: RunFiles) -> str:
    """What differs from the defaults first, the rest folded; then command, code and machine."""
    own, usual, parts = changed(run), defaults(), []
    if run.config is not None:
        rows = [[_code(n), _code(repr(v)), _code(repr(usual[n]))] for n, v in own.items()]
        head = ['setting', 'value', 'default']
        parts.append(table('Settings that differ from the defaults', head, rows, left=3))
        rest = [[_code(n), _code(repr(v))] for n, v in usual.items() if n not in own]
        summary = f'{len(rest)} settings at their defaults'
        parts.append(folded(summary, table(summary, ['setting', 'value'], rest, left=2)))
    return f'{"".join(parts)}<h3>Command</h3><pre>{markup.text(run.command)}</pre>{_facts(run)}'


def _facts(run: RunFiles) -> str:
    result = run.result
    versions = result.get('versions') or {}
    seconds, peak = result.get('seconds'), result.get('peak_memory_mb')
    said = {
        'commit': ' '.join(run.commits) or '-',
        'versions': ', '.join(f'{name} {v}' for name, v in versions.items()) or '-',
        'seconds': '-' if seconds is None else f'{seconds:,.1f} ({duration(seconds)})',
        'peak memory': '-' if peak is None else f'{peak:,.1f} MB',
        'checkpoint': str(run.evaluation.get('checkpoint', '-')),
        'records': run.records or '-',
        'folder': run.folder,
        'configuration': str(result.get('config_hash', '-')),
    }
    return facts({name: markup.text(value) for name, value in said.items()}, kind='facts')


def _code(text: str) -> str:
    return f'<code>{markup.text(text)}</code>'
