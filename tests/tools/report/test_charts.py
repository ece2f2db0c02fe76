"""Charts: the page's colours, nothing of matplotlib's own, and the same bytes each time."""

import math
import re

from tools.report.charts import Axes, Line, chart, legend


def drawn(**axes) -> str:
    line = Line([1, 2, 3], [0.5, math.nan, 0.7], 2, low=[0.4, 0.4, 0.6], high=[0.6, 0.7, 0.8])
    return chart('Title', [line], Axes('steps', 'share', **axes))


def test_a_chart_is_the_page_s():
    page = drawn()
    assert page == drawn()
    assert 'var(--c2)' in page
    assert 'var(--soft)' in page
    assert not re.search(r'#0[0-9a]', page)
    assert not re.search(r'http|metadata|<!|xmlns| id="(?!p|m|D)', page)
    assert '<text' in page, 'text stays text'
    assert 'aria-label="Title: share over steps"' in page


def test_many_points_are_thinned():
    steps = list(range(100_000))
    assert len(chart('T', [Line(steps, steps)], Axes('x', 'y'))) < 20_000


def test_a_legend_escapes_names_and_tells_apart_what_has_one_colour():
    found = legend(['<b>', 'x'], colours=[0, 8])
    assert '&lt;b&gt;' in found
    assert found.count('--k:var(--c0)') == 2
    assert found.count('dashed') == 1


def test_logarithmic_axes_show_all_values():
    lines = [Line([1, 10, 100], [1e-1, 1e-5, 1e-9], marked=True)]
    page = chart('T', lines, Axes('x', 'y', logarithmic=True))
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', page)[1])
    places = [
        float(y) for y in re.findall(r'<use [^>]*y="([\d.]+)" style="fill: var\(--c0\)', page)
    ]
    assert places == sorted(places)
    assert len(set(places)) == 3
    assert places[0] > 0
    assert places[-1] < 0.9 * height
