"""How the page looks: the style of the reports, and what this page has besides."""

from tools.report import style

STYLE = f"""{style.STYLE}
.drop {{ display: block; padding: 1.5rem 1rem; border: 2px dashed var(--line); border-radius: 8px;
  background: var(--card); text-align: center; cursor: pointer }}
.drop.over {{ border-color: var(--r) }} .drop:focus-within {{ outline: 2px solid var(--r) }}
textarea, input[type=password] {{ width: 100%; padding: .5rem .75rem; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; font: inherit }}
textarea {{ min-height: 6rem; margin-top: .75rem; resize: vertical }}
button {{ margin-top: .5rem; padding: .4rem 1.1rem; color: var(--on); background: var(--r);
  border: 0; border-radius: 6px; font: inherit; cursor: pointer }}
.answer {{ display: flex; flex-wrap: wrap; gap: .1rem .8rem; align-items: baseline }}
.answer b {{ font-size: 1.5rem; overflow-wrap: anywhere }}
.graph {{ display: block; width: 100%; height: 16rem; touch-action: none; cursor: ew-resize }}
.graph .axis {{ stroke: var(--line) }} .graph .cursor {{ stroke: var(--ink); stroke-width: 1.5 }}
.graph path {{ fill: none; stroke-width: 2 }} .graph text {{ fill: var(--soft); font-size: 12px }}
.slide {{ display: grid; grid-template-columns: 8.5rem 1fr 5.5rem; gap: .75rem; align-items: center;
  margin: .5rem 0 }}
.slide output {{ text-align: right; font-variant-numeric: tabular-nums }}
.slide input {{ width: 100%; margin: 0; accent-color: var(--r) }}
.both {{ display: grid; gap: 1rem 2rem; margin-top: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)) }}
.both figure {{ margin: 0; min-width: 0 }}
.both canvas {{ display: block; width: 100%; max-width: 22rem; image-rendering: pixelated;
  border: 1px solid var(--line); background: var(--s0) }}
.both .document {{ max-height: 20rem; overflow: auto; overflow-wrap: anywhere }}
.both .off {{ background: color-mix(in srgb, var(--c1) 30%, var(--ground)) }}
.both .far {{ opacity: .25 }}
.wrongly {{ color: var(--c1) }} [hidden] {{ display: none !important }}
.key {{ display: inline-block; width: 1.3rem; margin-right: .4rem; border-top: 3px solid;
  vertical-align: middle }}
.key-0 {{ border-color: var(--c0) }} .key-1 {{ border-color: var(--c1) }}
.key-2 {{ border-color: var(--c2) }} .key-3 {{ border-color: var(--c3) }}
.key-4 {{ border-color: var(--c4) }}
.line-0 {{ stroke: var(--c0) }} .line-1 {{ stroke: var(--c1) }} .line-2 {{ stroke: var(--c2) }}
.line-3 {{ stroke: var(--c3) }} .line-4 {{ stroke: var(--c4) }}
@media (max-width: 40rem) {{ .slide {{ grid-template-columns: 1fr 5.5rem }}
  .slide input {{ grid-row: 2; grid-column: 1 / -1 }} }}
"""
