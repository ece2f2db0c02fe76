"""JavaScript of the page: what is sent, and what is shown of it."""

SCRIPT = r"""
const WANTED = {image: 'Drop a photo here, or choose one',
  signal: 'Drop a .npy file here, or choose one', text: 'Drop a text file here, or choose one'};
let model = null, about = null, truth = null, points = [], follow = true, stepAt = null, turn = 0;

function headers() {
  const token = sessionStorage.getItem('token');
  return token ? {authorization: `Bearer ${token}`} : {};
}

// Asks the server; refusals become errors with its words.
async function ask(path, options = {}) {
  const name = new URLSearchParams(location.search).get('model');
  const place = new URL(path, document.baseURI);
  if (name) place.searchParams.set('model', name);
  const answer = await fetch(place, {...options, headers: headers()});
  byId('token-form').hidden = answer.status !== 401;
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({error: answer.statusText}));
    throw new Error(said.error);
  }
  return answer;
}

function say(text, wrong = false) {
  byId('said').textContent = text;
  byId('said').classList.toggle('wrongly', wrong);
}

async function begin() {
  try {
    model = await (await ask('page/about')).json();
  } catch (error) {
    return say(error.message, true);
  }
  say('');
  byId('title').textContent = `${model.model} reads`;
  document.title = byId('title').textContent;
  byId('lead').textContent = `version ${model.version}, ${model.classes} classes` +
    (model.recalls ? '; it can say what it remembers' : '');
  byId('give').hidden = !model.kind;
  if (!model.kind) return say('This model is not of Longhaul: ask it by REST or gRPC.', true);
  byId('wanted').textContent = WANTED[model.kind];
  byId('write').hidden = model.kind !== 'text';
}

// Reads an item: a line of JSON comes for each point of its sequence.
async function read(item) {
  const mine = ++turn;
  points = []; about = null; follow = true;
  byId('shown').hidden = true;
  say('it reads');
  try {
    if (item.size > model.item_bytes) throw new Error(`more than ${model.item_bytes} bytes`);
    const answer = await ask('page/read', {method: 'POST', body: item});
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const {done, value} = await reader.read();
      if (mine !== turn) return reader.cancel();
      rest += value || '';
      const lines = rest.split('\n');
      rest = lines.pop();
      lines.filter(Boolean).forEach(line => take(JSON.parse(line)));
      if (about && points.length) show();
      if (done) break;
    }
    say(`${about.steps.toLocaleString('en')} steps read`);
  } catch (error) {
    if (mine === turn) say(error.message, true);
  }
}

function take(line) {
  if (line.error) throw new Error(line.error);
  if (line.kind) {
    about = line;
    truth = unpack(line.values);
    about.characters = line.vocabulary ? Array.from(line.vocabulary) : null;
  } else points.push(line);
}

// The classes that are most probable anywhere on the way, at most five.
function classesShown() {
  const best = about.classes.map((_, i) => Math.max(...points.map(p => p.probabilities[i])));
  return best.map((_, i) => i).sort((a, b) => best[b] - best[a]).slice(0, 5);
}

function show() {
  byId('shown').hidden = false;
  const slider = byId('step');
  slider.max = points.length - 1;
  if (follow) slider.value = slider.max;
  const point = points[Number(slider.value)], classes = classesShown();
  const percent = i => `${(100 * point.probabilities[i]).toFixed(1)}%`;
  const best = point.probabilities.indexOf(Math.max(...point.probabilities));
  byId('answer').textContent = about.classes[best];
  byId('sure').textContent = percent(best);
  byId('step-out').textContent = point.step.toLocaleString('en');
  stepAt = drawCurves(byId('graph'), points, classes, {steps: about.steps, step: point.step});
  byId('legend').replaceChildren(...classes.map((index, i) => {
    const item = make('li');
    const name = make('bdi', about.classes[index]);
    item.append(make('span', '', `key key-${i}`), name, ` ${percent(index)}`);
    return item;
  }));
  const end = Math.min(point.step, about.shown);
  const draw = DRAW[about.kind];
  byId('given').replaceChildren(draw(about, truth, {begin: 0, from: 0, to: end, far: 255}));
  remember(point, end);
}

// Asks for what the state of a point holds, once for each point, and shows it.
async function remember(point, end) {
  const has = Boolean(point.state);
  byId('memory').hidden = byId('back-slide').hidden = !has;
  byId('compared').textContent = has ? '' : 'This model was not trained to say what it remembers.';
  if (!has) return;
  if (!point.kept) point.kept = recall(point).catch(error => ({error}));
  const kept = await point.kept;
  if (points[Number(byId('step').value)] !== point) return;
  if (kept.error) return say(kept.error.message, true);
  const slider = byId('back'), all = end - kept.begin, whole = slider.value === slider.max;
  slider.max = all;
  if (whole || follow) slider.value = all;
  const back = Math.min(all, Number(slider.value)), from = end - back;
  byId('back-out').textContent = `${back.toLocaleString('en')} steps`;
  const mark = back < all ? from : undefined;
  const options = {begin: kept.begin, from, to: end, far: 0, truth, mark};
  byId('kept').replaceChildren(DRAW[about.kind](about, kept.values, options));
  byId('compared').textContent = compared(kept, from, end);
}

function compared(kept, from, end) {
  const {channels} = about;
  let sum = 0;
  for (let i = from * channels; i < end * channels; i++) {
    const was = truth[i], is = kept.values[i - kept.begin * channels];
    sum += about.kind === 'text' ? was === is : Math.abs(was - is);
  }
  const mean = sum / Math.max(1, (end - from) * channels);
  const back = `Of the last ${(end - from).toLocaleString('en')} steps `;
  if (about.kind === 'text') return `${back}it remembers ${(100 * mean).toFixed(0)}% right.`;
  const off = about.kind === 'image' ? `${mean.toFixed(1)} of 255 levels` : mean.toPrecision(3);
  return `${back}it is off by ${off} on average.`;
}

async function recall(point) {
  const body = {step: point.step, shown: about.shown, state: point.state};
  const send = async () => (await ask(`page/recall?version=${about.version}`,
    {method: 'POST', body: JSON.stringify(body)})).json();
  let found = await send();
  if (!found.values) {  // A decoder goes on from the true step where it begins.
    const {channels} = about, at = found.begin * channels;
    body.first = Array.from(truth.slice(at, at + channels));
    found = await send();
  }
  return {begin: found.begin, values: unpack(found.values)};
}

function moveTo(step) {
  follow = false;
  const near = points.reduce((best, point, i) =>
    Math.abs(point.step - step) < Math.abs(points[best].step - step) ? i : best, 0);
  byId('step').value = near;
  show();
}

byId('file').addEventListener('change', event => {
  if (event.target.files[0]) read(event.target.files[0]);
});
byId('read').addEventListener('click', () => read(new Blob([byId('text').value])));
byId('step').addEventListener('input', () => { follow = false; show(); });
byId('back').addEventListener('input', () => { follow = false; show(); });
byId('graph').addEventListener('pointerdown', event => {
  byId('graph').setPointerCapture(event.pointerId);
  moveTo(stepAt(event.clientX));
});
byId('graph').addEventListener('pointermove', event => {
  if (event.buttons) moveTo(stepAt(event.clientX));
});
byId('token-form').addEventListener('submit', event => {
  event.preventDefault();
  sessionStorage.setItem('token', byId('token').value.trim());
  begin();
});
for (const name of ['dragenter', 'dragover']) addEventListener(name, event => {
  event.preventDefault();
  byId('drop').classList.add('over');
});
for (const name of ['dragleave', 'drop']) addEventListener(name, () => {
  byId('drop').classList.remove('over');
});
addEventListener('drop', event => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file && model && model.kind) read(file);
});
addEventListener('resize', () => about && points.length && show());
begin();
"""
