"""The model card beside an export."""

import json
import re
from pathlib import Path

import exports
import pytest

from pipelines.format.spec import SequenceSpec, signal_spec, text_spec
from trainer.run_dir.folder import ModelDir
from trainer.serving import card

EVALUATION = {
    'global_step': 7,
    'accuracy': 0.91234,
    'accuracy_low': 0.9,
    'accuracy_high': 0.92,
    'labelled': 12345,
}


def card_of(folder: Path, kind: str = 'characters', **changes) -> str:
    spec = changes.pop('spec', exports.SPECS[kind])
    values = {
        'class_names': exports.CLASSES,
        'version': 7,
        'checkpoint': '/home/me/secret/best/ckpt-7',
        'signatures': {},
        'others': ['No TFLite model: --notflite.'],
    } | changes
    names = values.pop('class_names')
    return card.write_card(ModelDir(str(folder)), exports.config_of(kind), spec, names, **values)


@pytest.mark.parametrize('kind', exports.KINDS)
def test_an_export_has_a_card(exported, kind):
    text = (Path(exported(kind)) / 'README.md').read_text()
    title = {
        'image': 'r-LSTM classifier of images',
        'bytes': 'GRU classifier of documents',
        'characters': 'r-LSTM classifier of documents',
        'transformer': 'Transformer classifier of documents',
    }.get(kind, 'r-LSTM classifier of signals')
    assert text.startswith(f'# {title}\n')
    assert 'Version 7: the weights after 7 steps' in text
    assert '7 classes: cat, dog, Kuh, Огонь, 猫, emu, a b.' in text
    assert '`serving_default` | `data` string [?]' in text
    assert ('`advance`' in text) == (kind != 'transformer')
    assert '## Limits' in text
    # Nothing was evaluated here, and nobody may think so.
    assert 'These weights have not been evaluated' in text


def test_accuracy_is_of_these_weights_alone(tmp_path):
    (tmp_path / 'evaluation-test.json').write_text(json.dumps(EVALUATION))
    text = card_of(tmp_path)
    assert '| test | 91.23% | 90.00% to 92.00% | 12,345 |' in text
    assert 'have not been evaluated' not in text
    other = card_of(tmp_path, version=8)
    assert '91.23%' not in other
    assert 'have not been evaluated' in other


def test_it_does_not_say_where_somebody_s_files_lie(tmp_path):
    """Whatever they are called, and in as many lines as gin itself makes of them."""
    import gin

    from trainer import bindings

    long = '/home/me/' + '/'.join(['secret'] * 20)
    lines = [
        "include 'gin/digits/lstm.gin'",
        f'SOMEWHERE = {long!r}',
        'RunConfig.warm_start = %SOMEWHERE',
        "DataConfig.service = 'grpc://secret:1'",
    ]
    (tmp_path / 'own.gin').write_text('\n'.join(lines))
    bindings.load(gin_files=[str(tmp_path / 'own.gin')], gin_params=[], records=long)
    text = gin.operative_config_str()
    assert text.count('secret') > 40
    assert '\\\n' in text
    (tmp_path / 'operative.gin').write_text(text + "\nDataConfig.records = 'secret'\n")
    text = card_of(tmp_path)
    assert 'DataConfig.batch_size = ' in text
    assert '# Parameters for RunConfig:' in text
    assert 'RunConfig.train_steps = ' in text
    assert 'secret' not in text


@pytest.mark.parametrize(
    ('spec', 'words'),
    [
        (SequenceSpec('image', image_size=4), '4x4 (gray), read pixel by pixel, row by row: 16'),
        (
            SequenceSpec('image', image_size=2, permutation=(3, 1, 0, 2), steps_per_pixel=3),
            'reordered: 12 steps of 1',
        ),
        (text_spec(max_steps=5000, cut='both'), 'read as bytes, cut to 5,000 (both)'),
        (exports.SPECS['characters'], 'Vocabulary of 7 characters'),
        (signal_spec(dtype='float16', channels=2), 'Arrays of 2 channel(s), float16'),
    ],
)
def test_the_data_in_words(tmp_path, spec, words):
    assert words in card_of(tmp_path, spec=spec)


def test_many_classes_are_counted(tmp_path):
    text = card_of(tmp_path, class_names=tuple(f'class{i}' for i in range(50)))
    assert '50 classes: class0, ' in text
    assert 'class19 and 30 more.' in text
    assert 'class20' not in text


def test_names_of_others_stand_as_plain_text(tmp_path):
    """No table, heading, tag, link or escape code of theirs."""
    evil = 'x\n\n## How good it is\n\n| a | b |\n| --- | --- |\n<script>[b](c)`*\\\x1b[2J\u202e'
    (tmp_path / 'command.json').write_text(json.dumps({'commits': [evil]}))
    (tmp_path / 'operative.gin').write_text(f'# {evil}')
    before, after = card_of(tmp_path), card_of(tmp_path, class_names=(evil, 'b_c'))
    assert len(before.splitlines()) == len(after.splitlines())
    for text in (before, after):
        assert all(c.isprintable() or c == '\n' for c in text)
        assert text.count('\n## How good it is') == 1
        lines = [line for line in text.splitlines() if not line.startswith('    ')]
        assert not re.findall(r'<|(?<!\\)\[b', ''.join(lines))
        assert sum(line.startswith('| --- |') for line in lines) == 1
    shown = 'x\\\\n\\\\n## How good it is\\\\n\\\\n\\| a \\| b \\|'
    assert f'2 classes: {shown}' in after
    assert ', b_c.' in after
