"""JavaScript of the page: how sequences and curves are drawn."""

DRAWING = r"""
const byId = id => document.getElementById(id);
const make = (tag, text = '', name = '') => {
  const node = document.createElement(tag);
  node.textContent = text;
  if (name) node.className = name;
  return node;
};
const ARRAYS = {uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array};

// The server's {dtype, base64} -> a typed array.
function unpack(values) {
  const text = atob(values.base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAYS[values.dtype](bytes.buffer);
}

// Draws the steps from..to of a picture; steps before them stay as transparent as `far` says.
function drawPicture(about, values, {begin, from, to, far, mark}) {
  const {side, colors, channels, permutation} = about, canvas = document.createElement('canvas');
  canvas.width = canvas.height = side;
  const context = canvas.getContext('2d'), image = context.createImageData(side, side);
  const value = k => permutation ? permutation[k] : k;
  for (let i = begin * channels; i < to * channels; i++) {
    const at = 4 * value(Math.floor(i / colors)), color = i % colors;
    const level = values[i - begin * channels];
    if (colors === 1) image.data[at] = image.data[at + 1] = image.data[at + 2] = level;
    else image.data[at + color] = level;
    image.data[at + 3] = Math.floor(i / channels) >= from ? 255 : far;
  }
  if (mark !== undefined) {
    const at = 4 * value(Math.floor(mark * channels / colors));
    image.data.set([255, 90, 60, 255], at);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function characterOf(about, id) {
  if (about.vocabulary) return id ? about.characters[id - 1] : '\ufffd';
  return id === 10 || (id > 31 && id < 127) ? String.fromCharCode(id) : '\u00b7';
}

// Text of the steps; those that differ from `truth` are marked, those before `from` are faint.
function drawText(about, values, {begin, from, to, truth}) {
  const node = make('div', '', 'document'), first = Math.max(begin, to - 3000);
  let run = null;
  for (let k = first; k < to; k++) {
    const name = (truth && truth[k] !== values[k - begin] ? 'off' : '') + (k < from ? ' far' : '');
    if (!run || run.className !== name) node.append(run = make('span', '', name));
    run.textContent += characterOf(about, values[k - begin]);
  }
  return node;
}

function drawing(tag, attributes, text = '') {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

// Curves of some channels of a signal, each between its own least and largest value.
function drawSignal(about, values, {begin, from, to}) {
  const {channels} = about, shown = Math.min(4, channels), high = 60;
  const svg = drawing('svg', {viewBox: `0 0 400 ${shown * high}`, class: 'graph', role: 'img'});
  svg.style.height = `${shown * high}px`;
  const total = Math.max(2, to - begin), stride = Math.max(1, Math.floor(total / 800));
  for (let c = 0; c < shown; c++) {
    let low = Infinity, top = -Infinity;
    for (let k = begin; k < to; k++) {
      const v = values[(k - begin) * channels + c];
      low = Math.min(low, v); top = Math.max(top, v);
    }
    const points = [];
    for (let k = Math.max(begin, from); k < to; k += stride) {
      const v = (values[(k - begin) * channels + c] - low) / (top - low || 1);
      points.push(`${400 * (k - begin) / (total - 1)} ${c * high + 4 + (high - 8) * (1 - v)}`);
    }
    if (points.length) svg.append(drawing('path', {d: `M${points.join('L')}`, class: `line-${c}`}));
  }
  return svg;
}

const DRAW = {image: drawPicture, text: drawText, signal: drawSignal};

// Probabilities over steps, with a cursor at a step.
function drawCurves(svg, points, classes, {steps, step}) {
  const box = svg.getBoundingClientRect(), width = Math.max(200, box.width), height = 256;
  const x = s => 40 + (width - 50) * s / steps, y = p => 10 + (height - 40) * (1 - p);
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.replaceChildren();
  for (const p of [0, .5, 1]) {
    svg.append(drawing('line', {x1: x(0), x2: x(steps), y1: y(p), y2: y(p), class: 'axis'}));
    svg.append(drawing('text', {x: 34, y: y(p) + 4, 'text-anchor': 'end'}, `${100 * p}%`));
  }
  for (const s of [0, Math.round(steps / 2), steps]) {
    const anchor = s === 0 ? 'start' : s === steps ? 'end' : 'middle';
    const place = {x: x(s), y: height - 8, 'text-anchor': anchor};
    svg.append(drawing('text', place, s.toLocaleString('en')));
  }
  classes.forEach((index, i) => {
    const at = points.map(point => `${x(point.step)} ${y(point.probabilities[index])}`);
    const d = at.length > 1 ? `M${at.join('L')}` : `M${x(0)} ${at[0].split(' ')[1]}L${at[0]}`;
    svg.append(drawing('path', {d, class: `line-${i}`}));
  });
  svg.append(drawing('line', {x1: x(step), x2: x(step), y1: 4, y2: height - 28, class: 'cursor'}));
  return at => steps * Math.min(1, Math.max(0, (at - box.left - 40) / (width - 50)));
}
"""
