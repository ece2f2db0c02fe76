"""The page in a real browser: painted, in proportion, legible, and deaf to what documents say."""

import html
import json
from pathlib import Path

import browser
import hostile_documents
import numpy as np
import pytest
import tensorflow as tf

from pipelines import launcher
from pipelines.format.texts import text_of
from pipelines.job.sources.builtin.digits import raw_items
from tools.inspect import __main__ as command
from tools.inspect import marks, markup, pictures
from tools.inspect.stored import Records

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(browser.find() is None, reason=browser.MISSING),
]
PICTURES, DOCUMENTS = ('digits', 'images', 'curve'), ('bytes', 'characters')
KINDS = PICTURES + DOCUMENTS
EXAMPLES = 12
# Names of folders, and so of classes and ids: all that a file system lets pass.
CLASSES = ('"><img src=x onerror=window.ran=3>', "it's & <b>", 'أرقام', 'a' * 120)

CONTRAST = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = [99, ''];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim()) continue;
    const [a, b] = [rgb(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 200)];
  }
  return worst;
})()"""
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.unseen, .scroll *'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.outerHTML.slice(0, 200))"""
# Of each strip: the edges of its parts, as shares of its width.
STRIPS = """[...document.querySelectorAll('.strip')].map(strip => {
  const whole = strip.getBoundingClientRect();
  const edges = part => {
    const box = strip.querySelector(part).getBoundingClientRect();
    return [box.left, box.right].map(x => (x - whole.left) / whole.width);
  };
  const ticks = (strip.querySelector('.bounds').getAttribute('d').match(/M[0-9]+/g) || []);
  return {width: whole.width, r: edges('.r-stretch'), p: edges('.p-stretch'),
    rAnchor: edges('.r-anchor'), pAnchor: edges('.p-anchor'), ticks: ticks.map(t => +t.slice(1))};
})"""
# Of each picture: which pixels (raster) lie inside of each region, asked of the browser.
REGIONS = """[...document.querySelectorAll('.picture')].map(picture => {
  const side = picture.querySelector('img').naturalWidth;
  const inside = part => {
    const found = [], path = picture.querySelector(part);
    for (let i = 0; path && i < side * side; i++) {
      const x = i % side + .5, y = Math.floor(i / side) + .5;
      if (path.isPointInFill(new DOMPoint(x, y))) found.push(i);
    }
    return found;
  };
  return {r: inside('.r-stretch'), p: inside('.p-stretch'), start: inside('.r-start'),
    segment: inside('.segment'), rAnchor: inside('.r-anchor'), pAnchor: inside('.p-anchor')};
})"""
# Of each document: its parts in order, as [what it is, where, text, whether it can be seen].
PARTS = """[...document.querySelectorAll('.document')].map(d => [...d.children].map(e => {
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  return [e.className, +(e.dataset.step ?? e.dataset.read), e.textContent,
    box.width > 4 && box.height > 4, parseFloat(style.borderTopWidth),
    parseFloat(style.borderBottomWidth), style.backgroundColor];
}))"""
BARS = """[...document.querySelectorAll('ID tbody tr')].map(row => [row.cells[0].textContent,
  [...row.querySelectorAll('.bar')].map(bar =>
    bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width)])"""


def image_folder(folder: Path) -> Path:
    for number, (_, _, data) in zip(range(40), raw_items(), strict=False):
        path = folder / CLASSES[number % 4] / f'{number} " <i> \u202e.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / CLASSES[3] / 'broken.png').write_bytes(b'no image')
    return folder


@pytest.fixture(scope='module')
def folders(tmp_path_factory) -> dict[str, str]:
    """Records of each kind, written by the job."""
    top = tmp_path_factory.mktemp('pages')
    documents = hostile_documents.write(top / 'train.jsonl')
    wanted = {
        'digits': ['--source=builtin:digits', '--image_size=16', '--segment_steps=50'],
        'images': [f'--source=images:{image_folder(top / "raw")}', '--image_size=8'],
        'bytes': [f'--source=jsonl:{documents}'],
        'characters': [f'--source=jsonl:{documents}', '--tokens=characters'],
    }
    wanted['images'] += ['--permutation_seed=3', '--segment_steps=20', '--test_share=0.1']
    wanted['images'] += ['--max_rejected_share=0.1']
    # Three steps a pixel along a Hilbert curve.
    wanted['curve'] = ['--source=builtin:digits', '--image_size=8', '--channels=3', '--limit=60']
    wanted['curve'] += ['--steps_per_pixel=3', '--pixel_order=hilbert', '--segment_steps=50']
    for kind in DOCUMENTS:
        wanted[kind] += ['--segment_steps=100', '--auxiliary_steps=150', '--test_share=0.1']
        wanted[kind] += ['--max_rejected_share=0.2']
    for kind, flags in wanted.items():
        assert launcher.main([*flags, f'--output={top / kind}']) == 0
    return {kind: str(top / kind) for kind in wanted}


@pytest.fixture(scope='module')
def files(folders) -> dict[str, Path]:
    """The pages, written by the command."""
    paths = {kind: Path(f'{folder}.html') for kind, folder in folders.items()}
    for kind, path in paths.items():
        arguments = [folders[kind], f'--html={path}', f'--examples={EXAMPLES}']
        assert command.main(arguments) == 0
    return paths


@pytest.fixture(scope='module')
def tab():
    with browser.page(browser.find()) as page:
        yield page


def shown(folder):
    """The records, and each example of the page with its marks."""
    found = Records(folder)
    return found, [(e, marks.of(found, e)) for e in found.spread(EXAMPLES)]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('dark', [False, True], ids=['light', 'dark'])
@pytest.mark.parametrize('width', [320, 390, 1440])
def test_it_is_quiet_asks_for_nothing_fits_and_is_legible(tab, files, kind, width, dark):
    tab.open(files[kind], width=width, dark=dark)
    assert tab.run(TOO_WIDE) == []
    assert tab.run('document.documentElement.scrollWidth') <= width
    ratio, where = tab.run(CONTRAST)
    assert ratio >= 4.5, where
    ground = tab.run('getComputedStyle(document.body).backgroundColor')
    assert (ground == 'rgb(255, 255, 255)') != dark
    assert tab.complaints == []
    # A picture that is part of the page counts as a request in the protocol.
    assert [u for u in tab.requests if not u.startswith('data:')] == [files[kind].as_uri()]


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_in_it_runs(tab, files, kind):
    tab.open(files[kind], width=1000)
    assert tab.run('[document.scripts.length, window.ran ?? 0, document.title]') == [
        0,
        0,
        f'{kind} - records',
    ]
    handlers = (
        '[...document.querySelectorAll("*")].flatMap(e => [...e.attributes].map(a => a.name))'
    )
    assert not [name for name in tab.run(handlers) if name.startswith('on')]
    assert tab.run('document.querySelectorAll(".document :not(span, b)").length') == 0
    # The policy stands guard over what escaping might miss.
    tab.run('document.body.insertAdjacentHTML("beforeend", "<img src=http://127.0.0.1:9/x.png>")')
    tab.run('new Promise(done => setTimeout(done, 50))')
    assert any('Content Security Policy' in c for c in tab.complaints)


@pytest.mark.parametrize('kind', PICTURES)
def test_pictures_are_painted_pixel_by_pixel(tab, files, folders, kind):
    found, examples = shown(folders[kind])
    side = found.info.spec.image_size
    tab.open(files[kind], width=1000)
    sizes = tab.run('[...document.images].map(i => [i.complete, i.naturalWidth, i.naturalHeight])')
    assert sizes == [[True, side, side]] * len(examples)
    boxes = tab.run(
        '[...document.images].map(i => i.getBoundingClientRect())'
        '.map(b => [b.left, b.top + scrollY, b.width])'
    )
    tab.run(
        'document.head.insertAdjacentHTML("beforeend", "<style>.picture svg{opacity:0}</style>")'
    )
    bare = tf.io.decode_png(tab.screenshot(whole=True), channels=3).numpy()
    tab.run('document.head.lastChild.remove()')
    drawn = tf.io.decode_png(tab.screenshot(whole=True), channels=3).numpy()
    for (left, top, width), (example, marked) in zip(boxes, examples, strict=True):
        cell = width / side
        middles = (np.arange(side) + 0.5) * cell
        rows, columns = (top + middles).astype(int), (left + middles).astype(int)
        want = np.broadcast_to(pictures.plain(found, example), [side, side, 3])
        np.testing.assert_allclose(bare[np.ix_(rows, columns)], want, atol=1)
        # Nothing but a stretch has a colour, in pictures that are gray.
        colours = drawn[np.ix_(rows, columns)].reshape(-1, 3).astype(int)
        redness = colours[:, 0] - colours[:, 2]
        blue, clear = regions_of(found, marked)
        assert (redness[blue] < -20).mean() > 0.5
        assert np.abs(redness[clear]).max(initial=0) < 20


def regions_of(found, marked):
    """Pixels that are to be blue and nothing else, and pixels that are to be as they were."""
    side, order = found.info.spec.image_size, pictures.places(found)
    r, p = (set(order[a.start : a.end].tolist()) for a in (marked.r[0], marked.p[0]))
    # A marker may reach into the rows beside its own.
    read = {order[max(0, a.read - 1)] // side for a in (*marked.r, *marked.p)}
    rows = {row + near for row in read for near in (-1, 0, 1)}
    apart = {pixel for pixel in range(side * side) if pixel // side not in rows}
    return sorted((r - p) & apart or r), sorted(apart - r - p)


@pytest.mark.parametrize('kind', PICTURES)
def test_regions_of_a_picture_are_where_the_records_say(tab, files, folders, kind):
    found, examples = shown(folders[kind])
    order = pictures.places(found)
    tab.open(files[kind], width=1000)
    for regions, (_, marked) in zip(tab.run(REGIONS), examples, strict=True):
        r, p = marked.r[0], marked.p[0]
        assert regions['r'] == np.unique(order[r.start : r.end]).tolist()
        assert regions['p'] == np.unique(order[p.start : p.end]).tolist()
        assert regions['start'] == [order[r.start]]
        assert order[r.read - 1] in regions['rAnchor']
        assert order[max(0, p.read - 1)] in regions['pAnchor'] or p.read == 0
        odd = [t for n in range(1, len(marked.bounds), 2) for t in range(*marked.segment(n))]
        # In a random order a segment is everywhere.
        assert regions['segment'] == ([] if kind == 'images' else np.unique(order[odd]).tolist())


@pytest.mark.parametrize('kind', KINDS)
def test_strips_are_where_the_records_say(tab, files, folders, kind):
    _, examples = shown(folders[kind])
    tab.open(files[kind], width=1440)
    for strip, (_, marked) in zip(tab.run(STRIPS), examples, strict=True):
        pixel = 1.01 / strip['width']
        for name in 'rp':
            anchor = getattr(marked, name)[0]
            edges = np.array([anchor.start, anchor.end]) / marked.steps
            np.testing.assert_allclose(strip[name], edges, atol=pixel)
            middle = np.mean(strip[f'{name}Anchor'])
            np.testing.assert_allclose(middle, anchor.read / marked.steps, atol=pixel)
        assert strip['ticks'] == list(marked.bounds[1:])


@pytest.mark.parametrize('kind', DOCUMENTS)
def test_documents_are_marked_where_the_records_say(tab, files, folders, kind):
    found, examples = shown(folders[kind])
    tab.open(files[kind], width=1440)
    for parts, (example, marked) in zip(tab.run(PARTS), examples, strict=True):
        spans = [part for part in parts if part[0].startswith('s')]
        gaps = [int(p[2].split()[0].replace(',', '')) for p in parts if p[0] == 'gap']
        ends = []
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            kinds, step, text = part[0].split(), part[1], part[2]
            if kinds[0] == 'mark':
                # It stands before the step that its state has not read yet.
                rest = parts[parts.index(part) + 1 :]
                after = next((p for p in rest if p[0].startswith('s')), None)
                assert step == (after[1] if after else marked.steps)
                assert step in [a.read for a in getattr(marked, kinds[1])]
                assert part[3], 'it cannot be seen'
            if not kinds[0].startswith('s'):
                continue
            assert ('r-stretch' in kinds) == (marked.r[0].start <= step < marked.r[0].end)
            assert ('p-stretch' in kinds) == (marked.p[0].start <= step < marked.p[0].end)
            assert [bool(w) for w in part[4:6]] == ['r-stretch' in kinds, 'p-stretch' in kinds]
            number = sum(bound <= step for bound in marked.bounds) - 1
            assert kinds[0] == f's{number % 2}'
            ends.append((step, text, following))
        assert {p[0].split()[1] for p in parts if p[0].startswith('mark')} == {'r', 'p'}
        assert len({part[6] for part in spans}) == min(2, len({p[0].split()[0] for p in spans}))
        if kind == 'characters':
            shown_steps = 0
            for step, text, _ in ends:
                length = _steps_shown(example, found, step, text)
                shown_steps += length
            assert shown_steps + sum(gaps) == marked.steps
        else:
            assert not any('\ufffd' in text for _, text, _ in ends), 'a character was cut'


def _steps_shown(example, found, step, text):
    """How many steps, from `step` on, give the text; the page shows them as they are."""
    for end in range(step + 1, example.steps + 1):
        said = html.unescape(markup.text(text_of(example.values[step:end], found.info.spec)))
        if said == text:
            return end - step
        assert text.startswith(said), (text, said)
    raise AssertionError(text)


@pytest.mark.parametrize('kind', DOCUMENTS)
def test_hostile_text_is_read_as_text(tab, files, kind):
    tab.open(files[kind], width=1440)
    said = tab.run('[...document.querySelectorAll(".document")].map(d => d.textContent).join("")')
    for words in ('<script>window.ran = 1;', '<img src="http://127.0.0.1:9/x.png"', '</style>'):
        assert words in said
    for words in ('nul ‹00› bell ‹07› escape ‹1B›[31m return ‹0D› delete', '‹202E›esrever‹202C›'):
        assert words in said
    assert 'سلسلة' in said
    assert not set(said) & set('\x00\x07\x1b\u202e\u2066')


@pytest.mark.parametrize('width', [390, 1440])
@pytest.mark.parametrize('kind', KINDS)
def test_bars_are_in_proportion(tab, files, folders, kind, width):
    info = Records(folders[kind]).info
    tab.open(files[kind], width=width)
    counts = info.counts['classes']
    splits = [s for s in ('train', 'validation', 'test') if info.counts['splits'][s]]
    rows = tab.run(BARS.replace('ID', '#classes'))
    assert len(rows) == len(info.class_names)
    for (_, bars), name in zip(rows, info.class_names, strict=True):
        want = [counts[s][name] / max(counts[s].values()) for s in splits]
        np.testing.assert_allclose(bars, want, atol=0.02)
    if info.spec.fixed_length is None:
        for name, bars in tab.run(BARS.replace('ID', '#lengths')):
            bound = name.replace(',', '').split('\u2013')[-1]
            want = [info.lengths[s].get(bound, 0) / max(info.lengths[s].values()) for s in splits]
            np.testing.assert_allclose(bars, want, atol=0.02)


def test_rejected_items_are_shown_by_reason(tab, files, folders):
    tab.open(files['bytes'], width=1440)
    text = tab.run('document.querySelector("#rejected").innerText')
    stats = json.loads((Path(folders['bytes']) / 'stats.json').read_text())
    assert len(stats['rejected']) == len(hostile_documents.BAD)
    for words in (*stats['rejected'], 'train/000000', 'train/000001'):
        assert words in text


@pytest.mark.parametrize('kind', ['digits', 'bytes'])
def test_keys_lead_through_it_and_it_prints(tab, files, kind):
    tab.open(files[kind], width=1000)
    reached = []
    for _ in range(7):
        for type_ in ('keyDown', 'keyUp'):
            tab.call('Input.dispatchKeyEvent', type=type_, key='Tab', windowsVirtualKeyCode=9)
        reached.append(
            tab.run(
                '[document.activeElement.getAttribute("href"), '
                'getComputedStyle(document.activeElement).outlineStyle]'
            )
        )
    targets = [href for href, _ in reached[:6]]
    assert len(set(targets)) == 6
    assert {outline for _, outline in reached} == {'solid'}
    for target in targets:
        assert tab.run(f'!!document.querySelector("{target} > h2")')
    assert tab.run('[...document.images].every(i => i.alt.length > 5)')
    assert tab.run('[...document.querySelectorAll("h1, h2")].map(h => h.tagName)')[:2] == [
        'H1',
        'H2',
    ]
    tab.open(files[kind], width=800, media='print')
    assert tab.run('getComputedStyle(document.querySelector("nav")).display') == 'none'
    assert tab.run('getComputedStyle(document.querySelector(".bar")).printColorAdjust') == 'exact'
