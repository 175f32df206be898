// What the page does by itself: it speaks the browser's language, finds, sorts, and copies.
"use strict";
const language = navigator.language.slice(0, 2).toLowerCase();
for (const element of document.querySelectorAll(`[data-${language}]`)) {
  if ("placeholder" in element) element.placeholder = element.dataset[language];
  else element.textContent = element.dataset[language];
}
if (document.querySelector(`h1[data-${language}]`)) {
  document.documentElement.lang = language;
  document.title = document.querySelector("h1").textContent;
}

const find = document.getElementById("find");
const why = document.getElementById("why");
const order = document.getElementById("order");
const cards = [...document.querySelectorAll(".card")];
const places = new Map(cards.map((card, place) => [card, place]));
const lists = [...document.querySelectorAll("section.list")];
const counts = new Map(lists.map((list) => [list, list.querySelector("h2 b").textContent]));
const plain = (text) => text.toUpperCase().replace(/[\s-]/g, "");
const orders = {
  worst: (a, b) => places.get(a) - places.get(b),
  name: (a, b) => a.dataset.image.localeCompare(b.dataset.image, undefined, { numeric: true }),
  number: (a, b) => a.dataset.number.localeCompare(b.dataset.number),
  confidence: (a, b) => a.dataset.confidence - b.dataset.confidence,
};

function show() {
  const wanted = plain(find.value);
  for (const card of cards) {
    const isFound = plain(`${card.dataset.image} ${card.dataset.number}`).includes(wanted);
    card.hidden = !isFound || (why.value && !card.dataset.reasons.split("|").includes(why.value));
  }
  for (const section of lists) {
    const left = section.querySelectorAll(".card:not([hidden])").length;
    section.hidden = !left;
    const isAll = left === section.querySelectorAll(".card").length;
    section.querySelector("h2 b").textContent = isAll ? counts.get(section) : left.toLocaleString("en");
  }
}

function sort() {
  for (const list of document.querySelectorAll(".cards")) {
    list.append(...[...list.children].sort(orders[order.value]));
  }
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch { // a browser that gives a page from a file no clipboard
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = button.dataset.copy;
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const was = button.textContent;
  button.textContent = document.getElementById("copied").textContent;
  setTimeout(() => { button.textContent = was; }, 1200);
}

if (find) {
  find.form.addEventListener("submit", (event) => event.preventDefault());
  find.addEventListener("input", show);
  why.addEventListener("change", show);
  order.addEventListener("change", sort);
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
});
