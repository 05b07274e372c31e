"use strict";
const controls = ["search", "task", "kind"].map((id) => document.getElementById(id));
const count = document.getElementById("count");
const cards = [...document.querySelectorAll("article")];

function applyFilters() {
  const [words, task, kind] = controls.map((control) => control.value);
  for (const card of cards) {
    card.hidden = (task && card.dataset.task !== task) || (kind && card.dataset.kind !== kind)
      || !card.textContent.toLowerCase().includes(words.trim().toLowerCase());
  }
  const shown = cards.filter((card) => !card.hidden).length;
  count.textContent = shown.toLocaleString("en") + " of " + cards.length.toLocaleString("en") + " questions";
}

for (const control of controls) control.addEventListener("input", applyFilters);
applyFilters();
