"use strict";

const $ = (id) => document.getElementById(id);
const field = $("number");

// ---- a number, judged ------------------------------------------------------------------------

// What was typed with the Korean keyboard on, as the keys that were pressed: first sounds, vowels,
// last sounds, in the order of Unicode.
const JAMO = [
  [0x1100, "r R s e E f a q Q t T d w W c z x v g"],
  [0x1161, "k o i O j p u P h hk ho hl y n nj np nl b m ml l"],
  [0x11a8, "r R rt s sw sg e f fr fa fq ft fx fv fg a q qt t T d w c z x v g"],
].map(([start, keys]) => [start, keys.split(" ")]);
let alphabet = "", owners = new Set(), sizeTypes = [{}, {}, {}];

function plain(text) {
  return text.normalize("NFKD").replace(/[\u1100-\u11ff]/g, (c) => {
    const [start, keys] = JAMO.findLast(([start]) => c.charCodeAt(0) >= start);
    return keys[c.charCodeAt(0) - start] ?? c;
  }).toUpperCase();
}

const compact = (text) => plain(text).replace(/[\s\-_\u2010-\u2015\u2212]/g, "");

function painted(text) {
  const code = compact(text);
  return [code.slice(0, 4), code.slice(4, 10), code.slice(10)].join(" ").trim();
}

/** Return a number without the size-type code that stands after it (45G1), and that code or "". */
function withoutSizeType(text) {
  const found = /^([A-Z]{4}[0-9]{6,7})([1-9A-Z][0-9A-Z][A-Z][0-9])$/.exec(compact(text));
  return found ? [painted(found[1]), found[2]] : [text, ""];
}

/** Return what stands for the length, the height, and the type. */
const partsOf = (code) => [code[0], code[1], code.slice(2)];

/** Tell whether a code is in the tables of length, of height, and of type. */
function isSizeType(code) {
  return partsOf(code).every((part, i) => part in sizeTypes[i]);
}

function checkDigit(code) {
  const sum = [...code.slice(0, 10)].reduce((s, c, i) => s + alphabet.indexOf(c) * 2 ** i, 0);
  return String(sum % 11 % 10);
}

/** Tell whether a text can be a label: four letters and six or seven digits, as Python says. */
const mayBePainted = (text) => /^[A-Z]{4}[0-9]{6,7}$/.test(compact(text));

/** Return each place's colour, what to say, in which tone, and whether Enter shall ask again. */
function judge(text) {
  const places = [...compact(text)], code = places.join("");
  const kinds = places.map((_, i) => (i < 3 ? "letter" : i === 3 ? "owner" : "digit"));
  const allowed = { letter: /[A-Z]/, owner: /[UJZ]/, digit: /[0-9]/ };
  const marks = places.map((c, i) => (allowed[kinds[i]].test(c) ? "good" : "bad"));
  const judged = (words, tone, asks) => ({ places, marks, words, tone, asks });
  const bad = marks.indexOf("bad");
  if (!code) return judged("", "", false);
  if (code.length > 11) return judged(say.long(code.length), "bad", true);
  if (bad >= 0) return judged(say.wrong(bad + 1, places[bad], say[kinds[bad]]), "bad", true);
  const rare = code.length > 3 && !isKnownOwner(code.slice(0, 4));
  if (rare) marks.fill("odd", 0, 4);
  const also = rare ? say.rare(code.slice(0, 4)) : "";
  if (code.length < 11) return judged(`${say.more(11 - code.length)} ${also}`, rare && "odd", true);
  const fitting = checkDigit(code);
  if (code[10] !== fitting) {
    marks[10] = "bad";
    return judged(`${say.unfit(code[10], fitting)} ${also}`, "bad", true);
  }
  return judged(also || say.fits, rare ? "odd" : "good", false);
}

/** Tell whether an owner code is a common one, or stands in another photo's label that checks. */
function isKnownOwner(code) {
  const isIn = (p) => p !== current && p.number.startsWith(code) && fits(p.number);
  return owners.has(code) || photos.some(isIn);
}

function fits(number) {
  const code = compact(number);
  return /^[A-Z]{3}[UJZ][0-9]{7}$/.test(code) && checkDigit(code) === code[10];
}

// ---- the photos ------------------------------------------------------------------------------

let photos = [], byKey = new Map(), list = [], at = 0, current = null, filter = "todo";
let version = "", next = ""; // of the file; what to type when all is done
let armed = null, note = null; // what a second Enter saves; what is said until something is typed
const drafts = new Map(), sizes = new Map(); // what was typed and not saved, by photo; its code

const isTodo = (p) => !p.number && !p.problem && !p.unreadable;
const wanted = (p) => filter === "all" || (filter === "todo" ? isTodo(p) : p.doubtful);
/** Tell whether Enter says that what was read is right: reviewing, with no answer, nothing typed. */
const isConfirming = () => role === "review" && current && isTodo(current) && !field.value
  && Boolean(current.suggestion.number);
const isDirty = () => current
  && (compact(field.value) !== compact(current.number) || sizes.has(current.key));

function choose(name, others = 0) {
  filter = name;
  list = photos.filter(wanted).map((p) => p.key);
  at = Math.max(Math.floor(startOf(others) * list.length), list.indexOf(current?.key));
  show();
}

/** Return where on the list a page begins beside so many others: 0, 1/2, 1/4, 3/4, 1/8, ... */
function startOf(others) {
  let start = 0;
  for (let left = others, share = 0.5; left; left >>= 1, share /= 2) start += (left & 1) * share;
  return start;
}

function move(step) {
  if (list.length) at = Math.min(Math.max(at + step, 0), list.length - 1);
  show();
}

function advance() {
  const places = [...list.keys()], after = places.slice(at + 1);
  const left = [...after, ...places.slice(0, at + 1)].filter((i) => isTodo(byKey.get(list[i])));
  at = (filter === "todo" ? left : after)[0] ?? list.length;
  show();
}

function show() {
  if (isDirty()) drafts.set(current.key, field.value);
  else if (current) drafts.delete(current.key);
  const photo = byKey.get(list[at]) ?? null;
  if (photo !== current || !photo) {
    current = photo;
    showPhoto();
  }
  armed = note = null;
  field.disabled = !photo;
  field.value = photo ? drafts.get(photo.key) ?? photo.number : "";
  if (matchMedia("(pointer: fine)").matches) field.focus();
  $("name").textContent = $("name").title = photo?.name ?? "";
  showWords();
}

/** Say something until something is typed or another photo is shown. */
function tell(words, tone = "bad") {
  note = { words, tone };
  showWords();
}

/** Return what to say of the size-type code that was typed after a number, or stands in the file. */
function shownSize() {
  const code = sizes.get(current.key) || current.sizeType;
  if (!code) return "";
  const words = partsOf(code).map((part, i) => sizeTypes[i][part]?.[language] ?? part);
  return ` ${say.size(code, words.join(", "))}`;
}

const changed = (photo) => say.changed(photo.number || say.emptied);

function showWords() {
  const seen = current?.suggestion, judged = judge(field.value);
  const typed = judged.places.join(""), offered = compact(seen?.number ?? "");
  const grey = offered.startsWith(typed) && !current?.number ? [...offered] : [];
  const unfit = judge(offered).marks.map((mark) => (mark === "bad" ? "grey unfit" : "grey"));
  const cells = Array.from({ length: 11 }, (_, i) => {
    const cell = document.createElement("span");
    cell.textContent = judged.places[i] ?? grey[i] ?? "";
    cell.className = judged.marks[i] ?? (grey[i] && unfit[i]) ?? "grey";
    return cell;
  });
  for (const place of [10, 4]) {
    const gap = document.createElement("span");
    gap.className = "gap";
    cells.splice(place, 0, gap);
  }
  $("cells").replaceChildren(...cells);
  field.placeholder = current ? seen?.number || say.number : "";
  $("take").hidden = !offered || offered === typed;
  $("take").classList.toggle("unfit", unfit.includes("grey unfit"));
  $("offer").textContent = offered ? say.offer(seen) : "";
  $("saves").textContent = isConfirming() ? say.confirm : say.save;
  $("unreadable").setAttribute("aria-pressed", Boolean(current?.unreadable));
  const stands = current?.problem && !isDirty() ? { words: current.problem, tone: "bad" }
    : current?.unreadable && !typed ? { words: say.marked, tone: "odd" }
    : typed ? { words: judged.words + shownSize(), tone: judged.tone }
    : { words: seen?.reason[language] ? say.doubt(seen.reason[language]) : "", tone: "" };
  $("words").textContent = (note ?? stands).words;
  $("words").className = (note ?? stands).tone;
  const done = photos.filter((p) => !isTodo(p)).length;
  $("bar").max = photos.length || 1;
  $("bar").value = done;
  $("count").textContent = say.count(done, photos.length);
}

// ---- answers, and what others write into the file --------------------------------------------

const page = sessionStorage.page ??= String(Math.random()); // which of those that are open
let sending = Promise.resolve(), open = 0, answers = 0; // answers under way, and given so far

async function submit() {
  const photo = current;
  if (!photo) return;
  await photo.pending;
  if (photo !== current) return;
  if (isConfirming()) {
    if (!frame.querySelector("img")) return tell(say.unseen, "odd");
    field.value = photo.suggestion.number;
  }
  const text = field.value;
  if (!photo.problem && !isDirty()) return advance();
  const judged = judge(text);
  if (judged.words && !mayBePainted(text)) return tell(`${judged.words} ${say.refused}`);
  const doubt = photo.clash ? `${changed(photo)} ${say.replace}`
    : judged.asks ? `${judged.words} ${say.again}` : "";
  if (doubt && armed !== text) {
    armed = text;
    return tell(doubt);
  }
  send(photo, painted(text), false);
  advance();
}

async function markUnreadable() {
  const photo = current;
  if (!photo) return;
  await photo.pending;
  if (photo !== current) return;
  const set = !photo.unreadable, doubt = photo.clash ? changed(photo) : photo.number && say.drop;
  if (doubt && armed !== "/") {
    armed = "/";
    return tell(doubt);
  }
  send(photo, "", set);
  field.value = "";
  if (set) advance();
  else showWords();
}

/** Save an answer while the next photo is shown; where that fails, come back to this one. */
function send(photo, number, unreadable) {
  const before = { ...photo }, { key, stamp } = photo;
  const sizeType = number && sizes.get(key) || "";
  drafts.delete(key);
  sizes.delete(key);
  Object.assign(photo, { number, unreadable, problem: "", clash: false });
  open += 1;
  answers += 1;
  photo.pending = sending = sending
    .then(() => post({ key, number, unreadable, stamp, sizeType }))
    .then((reply) => {
      Object.assign(photo, reply.photo);
      if (reply.before === version) ({ version } = reply);
      open -= 1;
    }, (problem) => {
      open -= 1;
      Object.assign(photo, before, problem.photo);
      if (sizeType) sizes.set(key, sizeType);
      if (current === photo) field.value = number;
      else if (number) drafts.set(key, number);
      if (!list.includes(key)) list.push(key);
      at = list.indexOf(key);
      show();
      photo.clash = Boolean(problem.photo) && isDirty();
      armed = field.value;
      tell(problem.photo ? changed(photo) + (photo.clash ? ` ${say.replace}` : "")
        : say.unsaved(problem.message));
    })
    .finally(() => {
      photo.pending = null;
      if (current === photo && !isDirty()) showWords();
    });
}

async function post(answer) {
  const reply = await fetch("label", { method: "POST", body: JSON.stringify(answer) })
    .catch(() => { throw new Error(say.gone); });
  const value = await reply.json().catch(() => ({ error: reply.statusText }));
  if (!reply.ok) throw Object.assign(new Error(value.error), { photo: value.photo });
  return value;
}

async function poll() {
  if (open) return;
  const given = answers;
  let reply;
  try {
    reply = await fetch(`photos/${version}`, { headers: { "X-Page": page } });
  } catch {
    return alarm(say.gone);
  }
  try {
    const state = reply.status === 204 ? null : await reply.json();
    alarm(reply.ok ? "" : state.error);
    if (reply.ok && state && given === answers) take(state);
  } catch (problem) {
    alarm(say.broken(problem.message));
  }
}

/** Save again the answers over which an older file was saved; `poll` then shows them. */
async function giveAgain() {
  $("again").disabled = true;
  const reply = await fetch("again", { method: "POST" }).catch(() => null);
  const value = await reply?.json().catch(() => null);
  $("again").disabled = false;
  if (!reply?.ok) return alarm(reply ? say.unsaved(value?.error ?? reply.statusText) : say.gone);
  return poll();
}

function alarm(text) {
  $("alarm").hidden = !text;
  if ($("alarm").textContent !== text) $("alarm").textContent = text;
}

function take(state) {
  const stamp = current?.stamp, dirty = isDirty(), first = !version;
  ({ version, alphabet, next } = state);
  owners = new Set(state.owners);
  ({ sizeTypes } = state);
  $("lost").hidden = !state.lost;
  $("lost").firstElementChild.textContent = say.lost(state.lost);
  document.title = state.file;
  photos = state.photos.map((p) => Object.assign(byKey.get(p.key) ?? {}, p));
  byKey = new Map(photos.map((p) => [p.key, p]));
  if (first) return choose(filter, state.others);
  const listed = new Set(list);
  list = photos.filter((p) => listed.has(p.key) || wanted(p)).map((p) => p.key);
  at = list.indexOf(current?.key);
  if (at < 0) return choose(filter); // it no longer stands in the file, or none was shown
  if (current.stamp === stamp) return showWords();
  current.clash = dirty && isDirty();
  if (!current.clash) field.value = current.number;
  tell(changed(current), current.clash ? "bad" : "odd");
}

// ---- the picture -----------------------------------------------------------------------------

const stage = $("stage"), frame = $("photo"), shown = new Map(); // downloads, by address
const view = { x: 0, y: 0, scale: 1, fit: 1, width: 1, height: 1 };
let turn = 0; // counts the photos shown: what comes late for an older one is dropped

function download(kind, photo, fresh = false) {
  const address = `${kind}/${photo.key}`, known = shown.get(address);
  shown.delete(address);
  shown.set(address, !known || fresh ? decode(address, known) : known);
  shown.get(address).catch(() => shown.delete(address));
  while (shown.size > 16) shown.delete(shown.keys().next().value);
  return shown.get(address);
}

/** Fetch a picture; one that is known stays, unless its file has been replaced. */
async function decode(address, known) {
  const before = await known?.catch(() => null);
  const headers = before ? { "If-None-Match": before.tag } : {};
  const reply = await fetch(address, { headers }).catch((problem) => {
    if (!before) throw problem;
  });
  if (!reply || reply.status === 304) return before; // the alarm says where nobody answers
  if (!reply.ok) throw new Error((await reply.json().catch(() => ({}))).error ?? reply.statusText);
  const image = new Image(), [width, height] = reply.headers.get("X-Size").split(" ").map(Number);
  image.src = URL.createObjectURL(await reply.blob());
  image.draggable = false;
  await image.decode();
  URL.revokeObjectURL(image.src);
  return { image, width, height, tag: reply.headers.get("ETag") };
}

async function showPhoto() {
  const mine = ++turn, photo = current;
  frame.replaceChildren();
  showCrop(photo, () => mine === turn);
  const absent = (text) => {
    $("absent").hidden = !text;
    $("absent").textContent = text;
  };
  if (!photo) {
    const isAll = photos.length && !photos.some(isTodo);
    return absent(!version ? say.loading : isAll ? `${say.nothing}\n${say.next(next)}` : say.nothing);
  }
  const slow = setTimeout(() => mine === turn && absent(say.loading), 150);
  const put = ({ image, width, height }) => {
    clearTimeout(slow);
    absent("");
    image.alt = photo.name;
    image.dataset.sharp = "";
    Object.assign(view, { width, height });
    frame.replaceChildren(image, ...drawBox(photo.suggestion));
    fit();
  };
  try {
    const wasHere = shown.has(`photo/${photo.key}`), seen = await download("photo", photo);
    if (mine !== turn) return;
    put(seen);
    const now = wasHere ? await download("photo", photo, true) : seen; // it may be replaced by now
    if (mine === turn && now !== seen) put(now);
  } catch (problem) {
    if (mine !== turn) return;
    frame.replaceChildren();
    absent(problem.message);
  } finally {
    clearTimeout(slow);
  }
  for (const i of [at + 1, at + 2, at - 1, at + 3]) {
    if (mine !== turn) return;
    const soon = byKey.get(list[i]);
    if (soon) await download("photo", soon).catch(() => {});
    if (soon && hasCrop(soon)) await download("crop", soon).catch(() => {});
  }
}

const hasCrop = (photo) => role === "review" && photo?.suggestion.box.length > 0;

/** Show the number alone, lying flat, beside the photo; `isWanted` tells whether it still is. */
async function showCrop(photo, isWanted) {
  $("crop").hidden = !hasCrop(photo);
  $("crop").replaceChildren();
  const seen = hasCrop(photo) && await download("crop", photo).catch(() => null);
  if (!seen || !isWanted()) return;
  seen.image.alt = "";
  $("crop").classList.toggle("tall", seen.height > seen.width);
  $("crop").replaceChildren(seen.image);
}

function drawBox(seen) {
  if (!seen?.box.length) return [];
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${view.width} ${view.height}`);
  for (let i = 0; i < 2; i += 1) { // a dark line under a bright one
    const box = document.createElementNS(space, "polygon");
    box.setAttribute("points", seen.box.join(" "));
    svg.append(box);
  }
  return [svg];
}

/** Show all of the photo, or all of a box on it: [[x, y], …]. */
function fit(box = [[0, 0], [view.width, view.height]]) {
  const quarter = (current.turned ?? 0) / 90;
  const xs = box.map(([x]) => x), ys = box.map(([, y]) => y);
  const wide = Math.max(...xs) - Math.min(...xs), high = Math.max(...ys) - Math.min(...ys);
  const [across, down] = quarter % 2 ? [high, wide] : [wide, high];
  const { clientWidth, clientHeight } = stage;
  view.scale = Math.min(clientWidth / Math.max(across, 1), clientHeight / Math.max(down, 1));
  if (wide === view.width) view.fit = view.scale;
  let dx = (Math.max(...xs) + Math.min(...xs) - view.width) / 2;
  let dy = (Math.max(...ys) + Math.min(...ys) - view.height) / 2;
  for (let i = 0; i < ((quarter % 4) + 4) % 4; i += 1) [dx, dy] = [-dy, dx];
  view.x = clientWidth / 2 - dx * view.scale;
  view.y = clientHeight / 2 - dy * view.scale;
  place();
}

/** Go from the whole photo to the number on it, or back. */
function toggle() {
  const box = current?.suggestion?.box ?? [], isWhole = view.scale === view.fit;
  if (!isWhole || !box.length) return fit();
  const middle = [0, 1].map((i) => box.reduce((sum, p) => sum + p[i], 0) / box.length);
  return fit(box.map((p) => p.map((value, i) => middle[i] + 1.6 * (value - middle[i]))));
}

function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const scale = Math.min(Math.max(view.scale * factor, view.fit / 2), Math.max(16, view.fit));
  view.x = x + (view.x - x) * (scale / view.scale);
  view.y = y + (view.y - y) * (scale / view.scale);
  view.scale = scale;
  place();
}

function rotate(degrees) {
  if (!current) return;
  current.turned = (current.turned ?? 0) + degrees;
  fit();
}

function place() {
  const { width, height } = view, image = frame.querySelector("img");
  if (!image) return;
  Object.assign(frame.style, {
    width: `${width}px`, height: `${height}px`, left: `${-width / 2}px`, top: `${-height / 2}px`,
    transform: `translate(${view.x}px, ${view.y}px) rotate(${current.turned ?? 0}deg)`
      + ` scale(${view.scale})`,
  });
  frame.style.setProperty("--scale", view.scale);
  const pixels = view.scale * devicePixelRatio * width;
  if (pixels > 1.2 * image.naturalWidth && image.naturalWidth < width) sharpen(image);
}

/** Put the photo at its own size in the place of the small one. */
async function sharpen(image) {
  if (image.dataset.sharp) return;
  image.dataset.sharp = "soon";
  const sharp = (await download("whole", current).catch(() => null))?.image;
  if (!sharp || !image.isConnected) return;
  sharp.alt = image.alt;
  sharp.dataset.sharp = "yes";
  image.replaceWith(sharp);
}

// ---- keys, mouse, fingers --------------------------------------------------------------------

function takeSuggestion() {
  field.value = current.suggestion.number;
  typed();
}

function canTake() {
  const offered = compact(current?.suggestion?.number ?? ""), typed = compact(field.value);
  return offered !== typed && offered.startsWith(typed);
}

const KEYS = {
  ArrowUp: () => move(-1), PageUp: () => move(-1),
  ArrowDown: () => move(1), PageDown: () => move(1),
  "/": markUnreadable, "?": markUnreadable,
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
  "[": () => rotate(-90), "]": () => rotate(90),
  Home: toggle,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.repeat && ["Enter", "/", "?"].includes(event.key)) return event.preventDefault();
  const onControl = event.target.closest("button, [type=radio]");
  if (event.key === "Tab" && !event.shiftKey && !onControl && canTake()) {
    takeSuggestion();
    field.focus(); // who has the key Tab needs no keyboard on the screen
  } else if (KEYS[event.key] && !onControl) {
    KEYS[event.key]();
  } else {
    if (event.key.length === 1 && !onControl && !field.disabled) field.focus();
    return;
  }
  event.preventDefault();
});

function typed(event) {
  armed = note = null;
  const [number, code] = event?.isComposing ? [field.value, ""] : withoutSizeType(field.value);
  if (code) field.value = number;
  if (code && isSizeType(code)) sizes.set(current.key, code);
  else if (!number) sizes.delete(current.key);
  if (code && !isSizeType(code)) tell(say.dropped(code), "odd");
  else showWords();
}
field.addEventListener("input", typed);
field.addEventListener("compositionend", () => { field.value = plain(field.value); typed(); });
// Enter comes as the form's, which knows when it only ends a character that is being composed.
$("answer").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
const buttons = {
  save: submit, unreadable: markUnreadable, take: takeSuggestion, back: () => move(-1),
  on: () => move(1), nearer: () => zoom(1.5), farther: () => zoom(1 / 1.5),
  left: () => rotate(-90), right: () => rotate(90), whole: toggle, again: giveAgain,
};
for (const [id, action] of Object.entries(buttons)) {
  $(id).addEventListener("click", action);
  $(id).addEventListener("pointerdown", (event) => event.preventDefault()); // the field stays
}
for (const [id, name] of Object.entries(say.tools)) $(id).title = $(id).ariaLabel = name;
for (const radio of document.querySelectorAll("[type=radio]")) {
  radio.addEventListener("change", () => choose(radio.value));
}

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { left, top } = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - left, event.clientY - top);
}, { passive: false });

const fingers = new Map();
stage.addEventListener("pointerdown", (event) => {
  if (event.target.closest("button")) return;
  event.preventDefault();
  stage.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
});
stage.addEventListener("pointermove", (event) => {
  if (!fingers.has(event.pointerId)) return;
  const spread = () => {
    const [[ax, ay], [bx, by] = [ax, ay]] = [...fingers.values()];
    return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.hypot(ax - bx, ay - by) };
  };
  const before = spread();
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  const after = spread(), { left, top } = stage.getBoundingClientRect();
  view.x += after.x - before.x;
  view.y += after.y - before.y;
  if (fingers.size > 1 && before.apart) {
    zoom(after.apart / before.apart, after.x - left, after.y - top);
  } else place();
});
for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
}
stage.addEventListener("dblclick", toggle);
new ResizeObserver(() => { if (current && view.scale === view.fit) fit(); }).observe(stage);

document.documentElement.lang = language;
for (const element of document.querySelectorAll("[data-say]")) {
  element.textContent = say[element.dataset.say];
}
field.ariaLabel = say.number;
addEventListener("beforeunload", (event) => { if (open) event.preventDefault(); });
document.addEventListener("visibilitychange", () => document.hidden || poll());
setInterval(() => document.hidden || poll(), 1000);
showPhoto();
poll();
