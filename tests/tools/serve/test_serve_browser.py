"""The page of the server in a real browser: a picture, a text and an array are dropped and read."""

import base64
import json

import browser
import exports
import numpy as np
import pytest
import serving
import tensorflow as tf

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(browser.find() is None, reason=browser.MISSING),
]
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.unseen, .scroll *'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.outerHTML.slice(0, 200))"""
WAIT = """new Promise((done, fail) => {
  const begun = Date.now();
  const look = () => {
    const found = (() => (%s))();
    if (found) done(found);
    else if (Date.now() - begun > 30000) fail(new Error(document.body.innerText));
    else setTimeout(look, 30);
  };
  look();
})"""
DROP = """(() => {
  const bytes = Uint8Array.from(atob(%s), c => c.charCodeAt(0)), data = new DataTransfer();
  data.items.add(new File([bytes], 'item'));
  const event = {dataTransfer: data, bubbles: true, cancelable: true};
  document.getElementById('drop').dispatchEvent(new DragEvent('dragenter', event));
  document.getElementById('drop').dispatchEvent(new DragEvent('drop', event));
})()"""
SLIDE = """(() => {
  const slider = document.getElementById(%s);
  slider.value = %d;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
})()"""
PIXELS = """(id => {
  const canvas = document.querySelector(`#${id} canvas`);
  return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
})(%s)"""


@pytest.fixture(scope='module')
def served(exported):
    models = {kind: {7: exported(kind)} for kind in (*exports.KINDS, 'readout')}
    with serving.serve(models) as running:
        yield running


@pytest.fixture(scope='module')
def tab():
    with browser.page(browser.find()) as page:
        yield page


def opened(tab, served, kind, *, width=1200, dark=False):
    tab.open(f'http://{served.rest}/?model={kind}', width=width, dark=dark)
    tab.run(WAIT % "!document.getElementById('give').hidden")


def dropped(tab, item: bytes) -> None:
    tab.run(DROP % json.dumps(base64.b64encode(item).decode()))
    tab.run(WAIT % "document.getElementById('said').textContent.endsWith('steps read')")


def text_of(tab, name: str) -> str:
    return tab.run(f'document.getElementById("{name}").textContent')


def slide(tab, name: str, value: int) -> None:
    tab.run(SLIDE % (json.dumps(name), value))


@pytest.mark.parametrize('kind', [*exports.KINDS, 'readout'])
@pytest.mark.parametrize('width', [390, 1200])
def test_an_item_is_read_and_shown(served, tab, exported, kind, width):
    model, (item,) = exports.Loaded(exported(kind)), exports.items_of(kind, 1, seed=8)
    want = model.call('serving_default', data=[item])
    painted = {}
    for dark in (False, True):
        opened(tab, served, kind, width=width, dark=dark)
        dropped(tab, item)
        assert text_of(tab, 'answer') == want['class_name'][0].decode()
        sure = float(text_of(tab, 'sure').rstrip('%'))
        assert sure == pytest.approx(100 * want['probabilities'].max(), abs=0.06)
        assert len(tab.run("[...document.querySelectorAll('#graph path')].map(p => 1)")) == 5
        assert tab.run('document.documentElement.scrollWidth') == width
        assert tab.run(TOO_WIDE) == []
        assert not tab.complaints
        place = f'http://{served.rest}/'
        assert all(url.startswith((place, 'data:')) for url in tab.requests)
        painted[dark] = tf.io.decode_png(tab.screenshot(), channels=3).numpy().mean()
    assert painted[False] > 200
    assert painted[True] < 80


def test_a_picture_is_remembered_as_far_as_the_user_drags(served, tab, exported):
    model, (item,) = exports.Loaded(exported('readout')), exports.items_of('readout', 1, seed=9)
    opened(tab, served, 'readout')
    dropped(tab, item)
    tab.run(WAIT % "document.getElementById('back-out').textContent == '36 steps'")
    state = model.call('encode', data=[item])
    del state['readable']
    distances = np.arange(56, 20, -1, dtype=np.int32)
    want = model.call('recall', distances=distances, **state)['values'][0]
    shown = np.array(tab.run(PIXELS % '"kept"')).reshape(36, 4)
    np.testing.assert_array_equal(shown[:, :3], want)
    given = np.array(tab.run(PIXELS % '"given"')).reshape(36, 4)
    np.testing.assert_array_equal(given[:, :3], model.call('decode', data=[item])['inputs'][0, :36])
    slide(tab, 'back', 10)
    tab.run(WAIT % "document.getElementById('back-out').textContent == '10 steps'")
    shown = np.array(tab.run(PIXELS % '"kept"')).reshape(36, 4)
    assert (shown[:26, 3] == 0).all()
    np.testing.assert_array_equal(shown[27:, :3], want[27:])
    assert 'Of the last 10 steps it is off by' in text_of(tab, 'compared')
    # Half way, it has read half of the picture.
    slide(tab, 'step', 17)
    step = int(text_of(tab, 'step-out'))
    tab.run(WAIT % f"document.getElementById('back').max == '{min(step, 36)}'")
    given = np.array(tab.run(PIXELS % '"given"')).reshape(36, 4)
    assert (given[:, 3] == 255).sum() == min(step, 36)


def test_a_text_is_pasted(served, tab):
    opened(tab, served, 'characters')
    tab.run(
        "document.getElementById('text').value = 'ab猫c'; document.getElementById('read').click()"
    )
    tab.run(WAIT % "document.getElementById('said').textContent == '4 steps read'")
    assert tab.run("document.querySelector('#given .document').textContent") == 'ab猫c'


def test_what_cannot_be_read_is_said(served, tab):
    opened(tab, served, 'image')
    tab.run(DROP % json.dumps(base64.b64encode(b'no picture').decode()))
    tab.run(WAIT % "document.querySelector('#said.wrongly')")
    assert text_of(tab, 'said') == 'the model cannot read it'
    assert tab.run("document.getElementById('shown').hidden")


def test_the_page_asks_for_the_token(exported, tab, tmp_path):
    path = tmp_path / 'token'
    path.write_text('a-token-of-some-length')
    path.chmod(0o600)
    with serving.serve({'bytes': {7: exported('bytes')}}, token_file=str(path)) as running:
        tab.open(f'http://{running.rest}/', width=1200)
        tab.run(WAIT % "!document.getElementById('token-form').hidden")
        tab.run("""document.getElementById('token').value = 'a-token-of-some-length';
                   document.querySelector('#token-form button').click()""")
        tab.run(WAIT % "!document.getElementById('give').hidden")
        dropped(tab, b'abc')
