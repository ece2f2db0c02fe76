"""What the page asks the server for: an item read step by step, and what its states hold."""

import base64
import json

import exports
import numpy as np
import pytest
import serving

from tools.serve.page.html import HEADERS, page


def lines(server, kind, item, query='points=5') -> list[dict]:
    code, data = server.raw(f'/page/read?model={kind}&{query}', item)
    assert code == 200, data
    return [json.loads(line) for line in data.decode().splitlines()]


def unpacked(values) -> np.ndarray:
    return np.frombuffer(base64.b64decode(values['base64']), values['dtype'])


LONG = pytest.mark.long


@pytest.mark.parametrize(
    'kind',
    ['characters', pytest.param('signal', marks=LONG), pytest.param('transformer', marks=LONG)],
)
def test_an_item_is_read_step_by_step(server, exported, kind):
    model, (item,) = exports.Loaded(exported(kind)), exports.items_of(kind, 1, seed=5)
    about, *points = lines(server, kind, item)
    want = model.call('serving_default', data=[item])['probabilities'][0]
    assert about['kind'] == exports.SPECS[kind].kind
    assert about['classes'] == list(exports.CLASSES)
    assert points[-1]['step'] == about['steps']
    np.testing.assert_allclose(points[-1]['probabilities'], want, atol=1e-5)
    steps = model.call('decode', data=[item])['inputs'][0]
    np.testing.assert_array_equal(unpacked(about['values']), steps.astype(float).ravel())
    assert len(points) == (1 if kind == 'transformer' else -(-len(steps) // -(-len(steps) // 5)))


@pytest.fixture(scope='module')
def recalling(exported):
    """Models that recall: a readout, and a decoder that is told the distance."""
    models = {kind: {7: exported(kind)} for kind in ('readout', 'told')}
    with serving.serve(models) as running:
        yield running


@pytest.mark.long
@pytest.mark.parametrize('kind', ['readout', 'told'])
def test_it_says_what_a_state_holds(recalling, exported, kind):
    from tools.predict.model import ExportedModel
    from tools.predict.reconstruction import reconstruct

    (item,) = exports.items_of(kind, 1, seed=6)
    about, *points = lines(recalling, kind, item)
    assert about['recalls']
    assert about['shown'] == 36
    body = {name: points[-1][name] for name in ('step', 'state')} | {'shown': about['shown']}
    path = f'/page/recall?model={kind}'
    code, found = recalling.http(path, body)
    if kind == 'told':
        first = unpacked(about['values'])[3 * found['begin'] :][:3]
        code, found = recalling.http(path, body | {'first': first.tolist()})
    assert code == 200
    want = reconstruct(ExportedModel(exported(kind)), item)
    assert found['begin'] == want.begin
    np.testing.assert_array_equal(unpacked(found['values']), want.guess[want.begin :].ravel())


@pytest.mark.parametrize(
    ('path', 'body', 'words'),
    [
        ('/page/read?model=image', b'no picture', 'cannot read it'),
        ('/page/read?model=image&points=0', b'', 'points: 1 to 200'),
        ('/page/read?model=image&points=x', b'', 'points: a whole number'),
        ('/page/recall?model=bytes', {'step': 3, 'shown': 3}, 'recalls nothing'),
        ('/page/recall?model=image', b'[', 'JSON Parse error'),
        ('/page/recall?model=image', {'step': -3, 'shown': 3, 'first': [1]}, 'step: 1 to'),
        ('/page/recall?model=image', {'step': 3, 'shown': 3, 'first': [1]}, 'are needed'),
        (
            '/page/recall?model=image',
            {'step': 3, 'shown': 3, 'first': [1, 2, 3], 'state': {'c': 'AA', 'h': 3}},
            'is no state',
        ),
    ],
)
def test_what_makes_no_sense_is_refused(server, path, body, words):
    code, said = server.http(path, body)
    assert code == 400
    assert words in said['error']


def test_which_model_it_shows(server):
    code, said = server.http('/page/about?model=signal')
    assert code == 200
    assert (said['kind'], said['version'], said['recalls']) == ('signal', 7, True)
    assert server.http('/page/about?model=nobody')[0] == 404
    assert set(server.http('/page/about')[1]['models']) == set(exports.KINDS)


def test_the_page_needs_nothing_else():
    text = page()
    assert 'http://' not in text.replace('http://www.w3.org/2000/svg', '')
    assert 'https://' not in text
    assert "default-src 'none'" in HEADERS['content-security-policy']
    assert len(text) < 60_000
