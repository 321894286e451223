"use strict";

const WALK = 700; // milliseconds from one face to another
const one = (id) => document.getElementById(id);
const start = document.querySelector("main").dataset;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const place = { from: null, to: null, at: 0 };
let seed = Number(start.seed);
let near = []; // latents of the faces that can be walked to
let walking = false;

function slider(home, name, least, most, step, value) {
  const [row, label, output, input] = ["div", "label", "output", "input"].map((tag) => document.createElement(tag));
  row.className = "slider";
  Object.assign(input, { id: `slider-${name}`.replace(" ", "-"), type: "range", min: least, max: most, step, value });
  label.textContent = name;
  label.htmlFor = input.id; // said, since an output inside a label would be what it labels
  const tell = () => { output.textContent = Number(input.value).toFixed(step < 0.1 ? 2 : 1); };
  input.addEventListener("input", () => { tell(); show(); });
  input.addEventListener("change", surround);
  row.append(label, output, input);
  one(home).append(row);
  tell();
  return { input, set: (to) => { input.value = to; tell(); } };
}

const moves = Array.from({ length: Number(start.directions) }, (_, i) =>
  slider("directions", `Direction ${i + 1}`, -3, 3, 0.1, 0));
const truncation = slider("truncation", "Truncation", 0, 1, 0.01, start.truncation);

const sliders = () => ({
  moves: moves.map((move) => Number(move.input.value)),
  truncation: Number(truncation.input.value),
});
const current = () => ({ ...place, ...sliders() });

async function post(action, asked) {
  const response = await fetch(action, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(asked),
  });
  if (!response.ok) throw new Error(await response.text());
  return response;
}

// Shown is always the latest wish: what was wished for while a picture was drawn is skipped.
let wish = null, drawing = null;
function show() {
  wish = current();
  drawing ??= draw().finally(() => { drawing = null; });
  return drawing;
}

async function draw() {
  while (wish) {
    const asked = wish;
    wish = null;
    await safely(async () => {
      const picture = URL.createObjectURL(await (await post("draw", asked)).blob());
      const before = one("face").src;
      one("face").src = picture;
      await one("face").decode();
      if (before) URL.revokeObjectURL(before);
    });
  }
}

async function safely(action) {
  try {
    await action();
    one("status").textContent = "";
  } catch (error) {
    one("status").textContent = "The generator does not answer. Is ganjax explore --serve still running?";
  }
}

// The faces nearby are shown as the sliders stand: what is chosen is what will be seen.
let surroundings = 0;
async function surround() {
  const turn = ++surroundings;
  await safely(async () => {
    const found = await (await post("faces", { seed, near: place.from, ...sliders() })).json();
    if (turn !== surroundings) return; // overtaken by a later wish
    near = found.latents;
    found.pictures.forEach((picture, i) => {
      one("faces").children[i].querySelector("img").src = `data:image/png;base64,${picture}`;
    });
  });
}

async function walk(to) {
  walking = true;
  Object.assign(place, { to, at: 0 });
  const began = performance.now();
  while (place.at < 1) {
    await new Promise(requestAnimationFrame);
    place.at = calm.matches ? 1 : Math.min(1, (performance.now() - began) / WALK);
    await show();
  }
  Object.assign(place, { from: to, to: null, at: 0 });
  walking = false;
  await surround();
}

function another() {
  seed = (seed + 1) % 2 ** 32; // a new face, and from there other faces nearby
}

async function meet() {
  await safely(async () => {
    const found = await (await post("faces", { seed, near: null, ...sliders() })).json();
    if (place.from) return walk(found.latents[0]);
    place.from = found.latents[0];
    await show();
    await surround();
  });
}

function keep(name, address) {
  const link = document.createElement("a");
  Object.assign(link, { href: address, download: name });
  link.click();
}

for (let i = 0; i < 8; i++) {
  const item = document.createElement("li");
  item.innerHTML = `<button type="button"><img alt="Walk to nearby face ${i + 1}" width="64" height="64"></button>`;
  item.firstChild.addEventListener("click", () => { if (near[i] && !walking) { another(); walk(near[i]); } });
  one("faces").append(item);
}
one("new").addEventListener("click", () => { if (!walking) { another(); meet(); } });
one("reset").addEventListener("click", () => { moves.forEach((move) => move.set(0)); show(); surround(); });
one("picture").addEventListener("click", async () => { await drawing; keep("face.png", one("face").src); });
one("latents").addEventListener("click", () => safely(async () => {
  const file = URL.createObjectURL(await (await post("keep", current())).blob());
  keep("face.npz", file);
  setTimeout(() => URL.revokeObjectURL(file), 10_000);
}));

meet();
