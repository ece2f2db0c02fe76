"""Pages about a whole run: its numbers, what they hold as text, and what is missing."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import small_data
from typed import typed
from whole_runs import execute

from pipelines.job.sources.builtin.digits import raw_items
from tools.report import __main__ as command
from tools.report import classes, mistakes, weights
from tools.report.examples import records_of
from tools.report.run_files import read_predictions, read_run

# Names of folders, and so of classes.
SCRIPT = '<script>alert(1)<'
CLASSES = (SCRIPT, '"><img src=x onerror=window.ran=3>', "it's & <b>", '$x^', 'e', 'f', 'g')
MOST_BYTES = 3_000_000


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    """A run of a tiny r-LSTM on 84 pictures of seven classes with such names."""
    top = tmp_path_factory.mktemp('report')
    for number, (_, _, data) in zip(range(84), raw_items(), strict=False):
        path = top / 'raw' / CLASSES[number % 7] / f'{number} <i>.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    flags = ['--image_size=8', '--segment_steps=20', '--auxiliary_steps=16', '--test_share=0.4']
    assert small_data.run_job(f'--source=images:{top / "raw"}', *flags, f'--output={top}/rec') == 0
    gin_file = top / 'tiny.gin'
    gin_file.write_text('\n'.join([*small_data.TINY_RUN, 'RunConfig.train_steps=4']))
    run = top / 'run'
    params = ('RunConfig.eval_interval=2', 'OptimizerConfig.learning_rate=0.02')
    assert execute(str(gin_file), run, 'train_and_eval', *params, records=f'{top}/rec') == 0
    return run


@pytest.fixture(scope='module')
def page(trained) -> str:
    path = trained.parent / 'page.html'
    assert command.main([str(trained), f'--html={path}']) == 0
    return path.read_text()


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    """A copy of the run that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / 'run'))


def drawn(run: Path, capsys, *flags: str) -> str:
    """The page of a run for which the command succeeds."""
    path = run.parent / 'other.html'
    done = typed(command.main, capsys, run, f'--html={path}', *flags)
    assert (done.code, done.err) == (0, '')
    return path.read_text()


def missing(page: str) -> dict[str, str]:
    """The sections that a page says to lack, and why."""
    return dict(re.findall(r'<li><b>([^<]*)</b>: (.*?)\.(?=<li>|</ul>)', page))


def test_its_numbers_are_those_of_the_result(trained, page):
    result = json.loads((trained / 'result.json').read_text())
    low, high = result['test_interval']
    said = f'<dt>test accuracy ({low:.2%} to {high:.2%})</dt><dd>{result["test_accuracy"]:.2%}</dd>'
    assert said in page
    top = json.loads((trained / 'evaluation-test.json').read_text())['top_5_accuracy']
    assert f'<dt>top 5</dt><dd>{top:.2%}</dd>' in page
    assert f'<dt>seconds</dt><dd>{result["seconds"]:,.1f} (' in page
    assert f'<dt>peak memory</dt><dd>{result["peak_memory_mb"]:,.1f} MB' in page
    assert result['peak_memory_mb'] > 100
    assert f'tensorflow {result["versions"]["tensorflow"]}' in page


def test_it_has_all_sections_of_such_a_run(page):
    found = re.findall(r'<h2>([^<]*)</h2>', page)
    want = ['Learning', 'Classes', 'Worst mistakes', 'When it knows', 'Memory', 'Reconstructions']
    assert found == [*want, 'Configuration', 'Not on this page']
    # The tiny run measures nothing but memory.
    assert missing(page).keys() == {'Auxiliary losses', 'Gradients'}
    assert all('diagnostics' in why for why in missing(page).values())


def test_what_others_have_named_is_text(page):
    assert '<script' not in page
    assert '<img src=x' not in page
    assert '<i>.png' not in page
    for name in CLASSES:
        assert html.escape(name) in page


def test_it_loads_nothing(page):
    assert "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"" in page
    # What is named within tags, and not what is said between them.
    tags = ''.join(re.findall(r'<[a-z][^>]*>', page))
    loaded = re.findall(r'(?:src|href|srcset|action|data)="([^"]*)"', tags)
    loaded += re.findall(r'url\(([^)]*)\)', page)
    assert len(loaded) > 20
    assert {name.partition(',')[0] for name in loaded if name[0] != '#'} == {
        'data:image/png;base64'
    }
    assert '://' not in tags
    assert '@import' not in page
    assert len(page.encode()) < MOST_BYTES


def test_mistakes_are_those_that_it_was_surest_of(trained, page):
    rows = [json.loads(x) for x in (trained / 'predictions-test.jsonl').read_text().splitlines()]
    wrong = [row for row in rows if row['label'] != row['predicted']]
    worst = sorted(wrong, key=lambda row: -row['probability'])[:6]
    section = page[page.index('id="worst-mistakes"') : page.index('id="when-it-knows"')]
    assert f'{len(worst)} of {len(wrong)} mistakes' in section
    for row in worst:
        assert html.escape(row['id']) in section
        assert f'({row["probability"]:.1%})' in section
    assert section.count('As it reads</figcaption>') == len(worst)


def test_it_reads_as_the_evaluation_did(trained):
    """Chunk by chunk, and to the same probabilities at the end."""
    run = read_run(str(trained))
    model, examples = weights.load(run), records_of(run)
    for row in read_predictions(run, 'test')[:3]:
        (values,) = [examples.find_in(run.split, row['id']).values]
        for points in (7, 64):
            reading = model.read([values], points=points)
            assert reading.steps.shape == (1, points)
            assert reading.steps[0, -1] == 64
            end = dict(zip(run.class_names, reading.probabilities[0, -1], strict=True))
            assert [name for name, _ in row['top']] == sorted(end, key=lambda n: -end[n])[:5]
            assert row['top'] == [
                (name, pytest.approx(end[name], abs=2e-5)) for name, _ in row['top']
            ]


def test_what_differs_from_the_defaults_comes_first(page):
    settings = page[page.index('id="configuration"') :]
    before, after = settings.split('<details>')
    assert '<code>ModelConfig.hidden_units</code>' in before
    assert '<code>ModelConfig.architecture</code>' in after
    assert '<code>ModelConfig.hidden_units</code>' not in after
    assert '--gin_param=RunConfig.eval_interval=2' in after


def test_an_unfinished_run_says_so(copied, capsys):
    for name in ('result.json', 'evaluation-test.json', 'evaluation-validation.json'):
        (copied / name).unlink()
    page = drawn(copied, capsys)
    assert 'This run is not finished: 4 of 4 steps' in page
    assert '<dt>test accuracy</dt><dd>-</dd>' in page
    assert '--mode=eval' in missing(page)['Classes']
    assert '<h2>Learning</h2>' in page
    (copied / 'validations.jsonl').unlink()
    shutil.rmtree(copied / 'best')
    shutil.rmtree(copied / 'checkpoints')
    assert 'never validated' in missing(drawn(copied, capsys))['Learning']


def test_without_its_weights_the_rest_is_there(copied, capsys):
    shutil.rmtree(copied / 'best')
    shutil.rmtree(copied / 'checkpoints')
    page = drawn(copied, capsys)
    assert missing(page).keys() >= {'When it knows', 'Reconstructions'}
    assert 'Their classes over time are missing' in page


def test_without_its_records_the_numbers_are_there(trained, copied, capsys):
    gone = drawn(copied, capsys, '--records=nowhere')
    assert missing(gone).keys() >= {'Worst mistakes', 'When it knows', 'Reconstructions'}
    assert 'nowhere: no such folder' in missing(gone)['Worst mistakes']
    assert '<h2>Classes</h2>' in gone


def test_other_records_are_not_taken_for_its_own(copied, capsys, digit_records):
    why = missing(drawn(copied, capsys, f'--records={digit_records}'))
    assert 'channels=3, these have 1' in why['Worst mistakes']
    data = json.loads((copied / 'data.json').read_text())
    data['records']['test'] = 'another'
    (copied / 'data.json').write_text(json.dumps(data))
    assert 'other records' in missing(drawn(copied, capsys))['Worst mistakes']


@pytest.mark.long
def test_predictions_of_an_older_version_do(copied, capsys):
    path = copied / 'predictions-test.jsonl'
    rows = [json.loads(x) for x in path.read_text().splitlines()]
    for row in rows:
        del row['top']
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    assert '<h2>Worst mistakes</h2>' in drawn(copied, capsys)
    path.unlink()
    assert 'is missing' in missing(drawn(copied, capsys))['Classes']
    path.write_text('{"id": "x", "label": 3, "predicted": "e", "probability": 1}\n')
    assert 'damaged' in missing(drawn(copied, capsys))['Classes']


def test_without_labels_there_are_no_classes(copied, capsys):
    path = copied / 'predictions-test.jsonl'
    rows = [json.loads(x) | {'label': None} for x in path.read_text().splitlines()]
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    why = missing(drawn(copied, capsys))
    assert 'no example of test has a label' in why['Classes']
    assert 'no example of test has a label' in why['Worst mistakes']


def test_it_refuses_in_one_line(trained, copied, tmp_path, capsys):
    done = typed(command.main, capsys, tmp_path / 'none', f'--html={tmp_path / "x.html"}')
    assert 'none: holds no run; train first' in done.refusal
    done = typed(command.main, capsys, trained, f'--html={tmp_path / "no" / "x.html"}')
    assert 'cannot be written' in done.refusal
    for name, text in (('result.json', '{"seconds": "x"}'), ('config.json', '{"run.seed": []}')):
        before = (copied / name).read_text()
        (copied / name).write_text(text)
        done = typed(command.main, capsys, copied, f'--html={tmp_path / "x.html"}')
        assert f'{name}: damaged' in done.refusal
        (copied / name).write_text(before)
    assert not (tmp_path / 'x.html').exists()


@pytest.mark.long
def test_half_an_event_is_left_out(copied, capsys):
    assert 'training</bdi>' in drawn(copied, capsys)
    for events in (copied / 'train').glob('events*'):
        events.write_bytes(events.read_bytes()[:-3])
    page = drawn(copied, capsys)
    assert '<h2>Learning</h2>' in page
    assert 'training</bdi>' not in page


def test_a_run_without_classes(copied, capsys):
    """As after the auxiliary phase alone, on records without labels."""
    data = json.loads((copied / 'data.json').read_text())
    (copied / 'data.json').write_text(json.dumps(data | {'class_names': []}))
    path = copied / 'evaluation-test.json'
    values = json.loads(path.read_text()) | {'labelled': 0}
    path.write_text(json.dumps(values))
    page = drawn(copied, capsys)
    assert '; no classes<br>' in page
    assert '<dt>test accuracy</dt><dd>-</dd>' in page
    assert {'Classes', 'Worst mistakes', 'When it knows'} <= missing(page).keys()


def test_a_model_without_mistakes_is_told_so(copied, capsys):
    path = copied / 'predictions-test.jsonl'
    rows = [json.loads(x) for x in path.read_text().splitlines()]
    rows = [row | {'label': row['predicted']} for row in rows]
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    assert 'named right' in missing(drawn(copied, capsys))['Worst mistakes']


def test_classes_are_counted():
    pairs = [('a', 'a'), ('a', 'b'), ('a', 'b'), ('b', 'b'), ('c', 'a')]
    rows = [
        {'id': str(i), 'label': label, 'predicted': said, 'probability': i / 10}
        for i, (label, said) in enumerate(pairs)
    ]
    names = ('a', 'b', 'c', 'd')
    found = classes.count(rows, names)
    assert [c.precision for c in found] == [1 / 2, 1 / 3, None, None]
    assert [c.recall for c in found] == [1 / 3, 1, 0, None]
    assert classes.confusion(rows, names).tolist() == [
        [1, 2, 0, 0],
        [0, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert classes.confused_pairs(rows, most=9) == [('a', 'b', 2), ('c', 'a', 1)]
    assert [row['id'] for row in classes.worst_mistakes(rows, most=2)] == ['4', '2']


def test_the_sentence_says_when_it_knew(trained):
    run = read_run(str(trained))
    steps = np.array([[10, 20, 30, 40]])
    said = np.zeros([1, 4, 7])
    said[0, :, 0], said[0, :, 1] = (0.9, 0.2, 0.3, 0.1), (0.1, 0.8, 0.7, 0.9)
    row = {'label': run.class_names[0], 'predicted': run.class_names[1], 'top': []}
    text = mistakes._when(run, row, weights.Reading(steps, said, {}))
    assert text == (
        'The right class has at most 90.0%, at step 10; the answer leads from step 20 of 40 on.'
    )
