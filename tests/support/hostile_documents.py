"""Documents that try to be more than text, as rows of a jsonl: source."""

import json
from pathlib import Path

TEXTS = {
    'script': '<script>window.ran = 1; document.title = "taken"</script>&amp;&lt; größer ',
    'attribute': '"><img src="http://127.0.0.1:9/x.png" onerror="window.ran = 2">\' onclick=\'x ',
    'close': '</span></div></body></html><style>* { display: none }</style><h1>big</h1>',
    'control': 'nul \x00 bell \x07 escape \x1b[31m return \r delete \x7f c1 \x85 tab\tend\n',
    'arabic': 'سلسلة طويلة من الحروف العربية تقرأ من اليمين إلى اليسار ',
    'override': 'reads \u202eesrever\u202c and \u2066isolated\u2069 \ufeff mark ',
    'emoji': 'a family 👩‍👩‍👧 of several code points, 数据 and 한국어 ',
}
# Rows that the job rejects.
BAD = [{'text': '', 'label': 'emoji'}, {'label': 'emoji'}]


def write(path: Path) -> Path:
    """Each text short, long, and as one line without a space; a class for each kind."""
    rows = list(BAD)
    for kind, text in TEXTS.items():
        label = f'<b onmouseover=alert(1)>{kind}</b>' if kind == 'script' else kind
        for times in range(1, 7):
            rows.append({'text': text * times, 'label': label})
        rows.append({'text': text.replace(' ', '').replace('\n', '') * 120, 'label': label})
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return path
