"""How the page looks: light and dark, on screens of any width and on paper."""

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c2128; --soft: #59636e; --line: #d5dae0;
  --card: #f7f8fa; --bar: #5b7083; --s0: #f0f2f5; --s1: #dbe1e8; --r: #0a5fc4; --r-soft: #a9cdf8;
  --p: #b34700; --p-soft: #fbc79b; --on: #fff }
@media (prefers-color-scheme: dark) { :root { --ground: #12161c; --ink: #e4e8ed; --soft: #9aa5b1;
  --line: #343c46; --card: #1a2028; --bar: #8ba2b8; --s0: #1f262f; --s1: #303a46; --r: #6cb0ff;
  --r-soft: #22518a; --p: #ff9d57; --p-soft: #80410f; --on: #12161c } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  "DejaVu Sans", sans-serif; overflow-wrap: break-word }
h1, .document, figcaption, .bars th, .rejected li { overflow-wrap: anywhere }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -.01em }
h2 { margin: 0 0 .6rem; font-size: 1.2rem }
p { margin: 0 0 .6rem }
small, .note, figcaption, .numbers, footer { color: var(--soft); font-size: .8125rem }
.lead { margin: .25rem 0 1.25rem; color: var(--soft); font-size: 1.05rem }
dl { margin: 0 } dt { color: var(--soft); font-size: .8125rem } dd { margin: 0 }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1px;
  margin-bottom: 1rem; border: 1px solid var(--line); border-radius: 8px; overflow: hidden;
  background: var(--line) }
.figures div { display: flex; flex-direction: column-reverse; padding: .6rem .9rem;
  background: var(--card) }
.figures dd { font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums }
.options { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem }
.options div { display: flex; gap: .4rem; align-items: baseline }
.options dd { font-weight: 600; font-variant-numeric: tabular-nums }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1.25rem 0 0; padding: .5rem 0;
  border-block: 1px solid var(--line) }
a { color: var(--r) } :focus-visible { outline: 2px solid var(--r); outline-offset: 2px }
section { margin-top: 2.25rem }
table { border-collapse: collapse } th { font-weight: 600; text-align: left }
th, td { padding: .3rem 1rem .3rem 0; vertical-align: top }
thead th { color: var(--soft); font-size: .8125rem; font-weight: 400 }
tbody tr { border-top: 1px solid var(--line) }
.n { font-variant-numeric: tabular-nums } td.n, th.n { text-align: right }
.bars { width: 100%; table-layout: fixed } .bars th:first-child, .bars td:first-child { width: 22% }
.bars th { font-weight: 400 } .bars th bdi { display: block }
.bars td > .count { float: left; width: 7.5rem }
.bars .track { padding-top: .45rem; overflow: hidden }
.bar { height: .6rem; border-radius: 1px; background: var(--bar) }
.scroll { max-width: 100%; overflow-x: auto; position: relative } .splits .n { white-space: nowrap }
.rejected ul { margin: 0; padding: 0; list-style: none }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
.legend { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 12.5rem), 1fr));
  gap: .6rem 1.5rem; margin: .25rem 0 .6rem }
.legend dt { display: flex; align-items: center; gap: .4rem; color: var(--ink); font-weight: 600 }
.legend dd { color: var(--soft); font-size: .8125rem }
.swatch { width: 1.5rem; height: .8rem; border-radius: 2px }
.swatch + .swatch { margin-left: -.4rem } .swatch.r-stretch { background: var(--r-soft);
  border: solid var(--r); border-width: 3px 0 0 3px }
.swatch.p-stretch { background: var(--p-soft); border-bottom: 3px solid var(--p) }
.dot, .diamond { width: .7rem; height: .7rem; background: var(--r); border-radius: 50% }
.diamond { background: var(--p); border-radius: 0; transform: rotate(45deg) scale(.85) }
:has(> .cards :is(.document, .signal)) :is(.dot, .diamond) { display: none }
.tag, .mark::before { display: inline-block; min-width: 1.15em; padding: 0 .25em; font: 700 11px/1.4
  system-ui, sans-serif; text-align: center; color: var(--on); border-radius: 3px }
.tag.r, .mark.r::before { background: var(--r) } .tag.p, .mark.p::before { background: var(--p) }
.mark.r::before { content: "r" } .mark.p::before { content: "p" }
.mark { margin: 0 1px; unicode-bidi: isolate } .s0 { background: var(--s0) }
.s1 { background: var(--s1) }
.cards { display: grid; align-items: start; gap: 1rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr)) }
.card { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); min-width: 0 }
figcaption { margin-bottom: .4rem } figcaption b { color: var(--ink); font-size: .9375rem }
.numbers p { margin: .15rem 0 0; font-variant-numeric: tabular-nums }
.pair { white-space: nowrap }
.picture { position: relative; line-height: 0; max-width: 26rem }
.picture img { width: 100%; height: auto; image-rendering: pixelated }
.picture svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible }
svg.strip { display: block; width: 100%; height: 32px; margin: .5rem 0; overflow: visible }
svg * { vector-effect: non-scaling-stroke }
.strip .ground { fill: var(--s1) } .strip .bounds { stroke: var(--soft); stroke-width: 1 }
.strip .r-stretch { fill: var(--r-soft); stroke: var(--r); stroke-width: 1 }
.strip .p-stretch { fill: var(--p-soft); stroke: var(--p); stroke-width: 1 }
.strip .r-anchor { stroke: var(--r); stroke-width: 2.5 }
.strip .p-anchor { stroke: var(--p); stroke-width: 2.5 }
:is(.picture, .signal) .segment { fill: #808890; fill-opacity: .25 }
.picture .r-stretch { fill: #2f8bff; fill-opacity: .4 }
.picture .p-stretch { fill: #ff8a2b; fill-opacity: .4 }
.picture .r-start { fill: none; stroke: #8fc4ff; stroke-width: 1.5 }
.picture .r-anchor { fill: #0a5fc4; stroke: #fff; stroke-width: 1.5 }
.picture .p-anchor { fill: #b34700; stroke: #fff; stroke-width: 1.5 }
.signal svg { display: block; width: 100%; height: 60px; margin-bottom: .3rem; overflow: visible }
.signal .segment { fill-opacity: .12 }
.signal .r-stretch { fill: var(--r); fill-opacity: .25 }
.signal .p-stretch { fill: var(--p); fill-opacity: .25 }
.signal .r-anchor { stroke: var(--r); stroke-width: 2.5 }
.signal .p-anchor { stroke: var(--p); stroke-width: 2.5 }
.signal .curve { fill: none; stroke: var(--ink); stroke-width: 1 }
.document { font: 13px/1.9 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; tab-size: 4 }
.document span { padding: 2px 0 } .document .r-stretch { border-top: 3px solid var(--r) }
.document .p-stretch { border-bottom: 3px solid var(--p) }
.document .r-start { border-left: 3px solid var(--r) }
.document .gap { display: block; margin: .3rem 0; color: var(--soft); font: .8125rem system-ui,
  sans-serif; text-align: center; border-block: 1px dashed var(--line) }
footer { margin-top: 2.5rem; padding-top: .75rem; border-top: 1px solid var(--line) }
@media (max-width: 40rem) { body { padding: 1.25rem 1rem } th, td { padding-right: .6rem }
  .splits { font-size: .8125rem } .splits :is(th, td):nth-child(6) { display: none }
  .cards { --least: 9.5rem !important; gap: .75rem }
  .cards:has(.document, .signal) { --least: 100% !important }
  .bars td > .count { float: none; width: auto } .bars .track { padding: .1rem 0 0 }
  .bar { height: .4rem } }
@media print { body { max-width: none; padding: 0; font-size: 11pt } nav { display: none }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
  .card, tr, .legend div { break-inside: avoid } h2 { break-after: avoid } }
"""
