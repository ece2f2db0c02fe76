"""How a report looks: the style of the pages of records, and what reports have besides."""

from tools.inspect import style

_COLOURS = {
    'light': '#0a5fc4 #c4460a #0b7a4b #8a3ab9 #806000 #b3126b #006d7e #5a5a5a',
    'dark': '#6cb0ff #ff9d57 #4fd09a #cf9bff #e0c341 #ff86c0 #4fd0e0 #b8b8b8',
}


def _variables(colours: str) -> str:
    return '; '.join(f'--c{i}: {colour}' for i, colour in enumerate(colours.split()))


STYLE = f"""{style.STYLE}
:root {{ {_variables(_COLOURS['light'])} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(_COLOURS['dark'])} }} }}
h3 {{ margin: 1.25rem 0 .4rem; font-size: 1rem }}
.charts {{ display: grid; gap: .5rem 1.5rem; margin-bottom: .5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)) }}
.chart {{ margin: 0; max-width: 32rem; min-width: 0 }}
.chart svg {{ display: block; width: 100%; height: auto }}
.chart svg * {{ vector-effect: none }}
.legend-line {{ display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .2rem 0 .4rem;
  padding: 0;  list-style: none; font-size: .8125rem }}
.legend-line li {{ overflow-wrap: anywhere }}
.wide {{ display: flex; flex-wrap: wrap; gap: 1.5rem 4rem; align-items: flex-start }}
.wide > div {{ min-width: 0; max-width: 100% }}
.line {{ display: inline-block; width: 1.3rem; height: 0; border-top: 3px solid var(--k);
  vertical-align: middle }}
.line.dashed {{ border-top-style: dashed }}
.confusion {{ font-size: .8125rem }}
.confusion :is(th, td) {{ padding: .2rem .35rem; text-align: center; font-weight: 400 }}
.confusion tbody th {{ text-align: right; max-width: 9rem; overflow: hidden;
  text-overflow: ellipsis;  white-space: nowrap }}
.confusion thead th {{ max-width: 4rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap }}
.confusion td {{ min-width: 2rem; font-variant-numeric: tabular-nums }}
.wrong {{ background: color-mix(in srgb, var(--c1) var(--w), var(--ground)) }}
.right {{ background: color-mix(in srgb, var(--c0) var(--w), var(--ground)) }}
details {{ margin: .5rem 0; border: 1px solid var(--line); border-radius: 8px;
  padding: .5rem .9rem }}
summary {{ cursor: pointer; font-weight: 600; overflow-wrap: anywhere }}
code, pre {{ font: .8125rem/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere }}
td code, th code {{ overflow-wrap: normal; white-space: nowrap }}
pre {{ margin: .3rem 0 .8rem; padding: .6rem .8rem; white-space: pre-wrap; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px }}
.card .chart {{ margin-top: .5rem }}
.shown {{ display: grid; gap: .75rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(5.5rem, 1fr)) }}
.shown figure {{ margin: 0; max-width: 12rem }}
.shown img {{ display: block; width: 100%; height: auto; image-rendering: pixelated }}
.example {{ min-width: 0 }} .example img {{ display: block; width: 8rem; height: auto;
  image-rendering: pixelated }}
.document .off {{ white-space: break-spaces;
  background: color-mix(in srgb, var(--c1) 30%, var(--ground)) }}
.facts {{ display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem }}
.facts div {{ display: contents }} .facts dd {{ overflow-wrap: anywhere }}
.missing {{ padding-left: 1.1rem }}
td.n {{ white-space: nowrap }}
td, dd {{ font-variant-numeric: tabular-nums }}
@media (max-width: 40rem) {{ .cards:has(.chart) {{ --least: 100% !important }} }}
@media print {{ details > :not(summary) {{ display: block }} }}
"""
