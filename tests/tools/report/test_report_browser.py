"""The page in a real browser: light, dark and on a phone, without a request or a complaint."""

from pathlib import Path

import browser
import numpy as np
import pytest
import small_data
import tensorflow as tf
from whole_runs import execute

from tools.report import __main__ as command

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(browser.find() is None, reason=browser.MISSING),
]
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.unseen, .scroll *'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.outerHTML.slice(0, 200))"""
CHARTS = """[...document.querySelectorAll('.chart svg')].map(svg => {
  const box = svg.getBoundingClientRect(), text = svg.querySelector('text').getBoundingClientRect();
  return [box.width, box.height, text.height];
})"""
COLOURS = """[...document.querySelectorAll('.chart path')].map(p => getComputedStyle(p).stroke)
  .filter(colour => colour != 'none')"""


@pytest.fixture(scope='module')
def pages(tmp_path_factory, digit_records, text_records) -> dict[str, Path]:
    """Of a run on pictures, of one on documents, and of both compared."""
    top = tmp_path_factory.mktemp('pages')
    gin_file = top / 'tiny.gin'
    gin_file.write_text('\n'.join([*small_data.TINY_RUN, 'RunConfig.train_steps=4']))
    found, runs = {}, []
    for name, records in (('pictures', digit_records), ('documents', text_records)):
        params = ('RunConfig.eval_interval=2', 'RunConfig.diagnostics=True')
        run = top / name
        assert execute(str(gin_file), run, 'train_and_eval', *params, records=records) == 0
        runs.append(str(run))
        found[name] = top / f'{name}.html'
        assert command.main([str(run), f'--html={found[name]}']) == 0
    found['both'] = top / 'both.html'
    assert command.main([*runs, f'--html={found["both"]}']) == 0
    return found


@pytest.fixture(scope='module')
def tab():
    with browser.page(browser.find()) as page:
        yield page


@pytest.mark.parametrize('kind', ['pictures', 'documents', 'both'])
@pytest.mark.parametrize('width', [390, 1200])
def test_it_fits_loads_nothing_and_is_legible(pages, tab, kind, width):
    painted = {}
    for dark in (False, True):
        tab.open(pages[kind], width=width, dark=dark)
        assert tab.run('document.documentElement.scrollWidth') == width
        assert tab.run(TOO_WIDE) == []
        assert not tab.complaints
        asked = [url for url in tab.requests if not url.startswith('data:')]
        assert asked == [pages[kind].resolve().as_uri()]
        charts = np.array(tab.run(CHARTS))
        assert len(charts) > 1
        assert charts[:, 0].min() > 200
        assert charts[:, 2].min() > 7, 'in pixels'
        picture = tf.io.decode_png(tab.screenshot(), channels=3).numpy()
        painted[dark] = picture.mean()
        colours = tab.run(COLOURS)
        # A colour that is not known would be black, or nothing.
        assert colours
        assert 'rgb(0, 0, 0)' not in colours
    assert painted[False] > 200
    assert painted[True] < 80
