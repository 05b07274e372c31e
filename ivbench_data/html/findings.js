"use strict";
// Cards are made when they come near the screen, and pictures are read from their blocks only then. Text from the
// dataset becomes text nodes and nothing else.
const data = JSON.parse(document.getElementById("data").textContent);
const BATCH = 20;
const cards = document.getElementById("cards");
const more = document.getElementById("more");
const count = document.getElementById("count");
const checkFilter = document.getElementById("check");
const taskFilter = document.getElementById("task");
const searchFilter = document.getElementById("search");
const severityFilters = [...document.querySelectorAll("input[name=severity]")];
let shown = [];
let made = 0;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function readPicture(key) {
  const block = document.getElementById(key);
  return block ? JSON.parse(block.textContent) : null;
}

function makePicture(key, alt) {
  const source = readPicture(key);
  if (!source) return null;
  const image = make("img");
  image.src = source;
  image.alt = alt;
  return image;
}

function formatTime(seconds) {
  const whole = Math.floor(seconds);
  const pad = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = pad(Math.floor(whole / 60) % 60) + ":" + pad(whole % 60);
  return hours ? hours + ":" + rest : rest;
}

function makeStrip(card) {
  const video = data.videos[card.video];
  const picture = video && makePicture(video.picture, "Frames of the video");
  if (!picture) return null;
  const strip = make("div", "strip");
  const frames = make("div", "frames");
  const cells = make("div", "cells");
  video.times.forEach((time, number) => {
    const cell = make("i");
    cell.dataset.time = formatTime(time);
    const next = number + 1 < video.times.length ? video.times[number + 1] : video.duration;
    if (card.spans.some(([start, end]) => start < next && end >= time)) cell.className = "in";
    cells.append(cell);
  });
  frames.append(picture, cells);
  strip.append(frames);
  if (card.spans.length && video.duration > 0) {
    const bar = make("div", "bar");
    for (const [start, end] of card.spans) {
      const mark = make("i");
      const low = Math.min(start, end), high = Math.max(start, end);
      if (end < start || high > video.duration + 1) bar.classList.add("bad");
      mark.style.left = Math.min(99, 100 * low / video.duration) + "%";
      mark.style.width = Math.max(0, Math.min(100, 100 * (high - low) / video.duration)) + "%";
      bar.append(mark);
    }
    strip.append(bar);
  }
  return strip;
}

function makeOptions(card) {
  const long = card.options.some((option) => option.length > 44);
  const list = make("ol", long ? "options long" : "options");
  card.options.forEach((option, index) => {
    const item = make("li", "", option);
    if (card.right.includes(index)) item.classList.add("right");
    if (!option.trim()) item.classList.add("blank");
    list.append(item);
  });
  return list;
}

function makeFinding(finding) {
  const item = make("li", finding.severity);
  item.append(make("b", "", finding.check), " " + finding.message);
  if (finding.level) item.append(" ", make("span", "chip", finding.level));
  if (finding.picture) {
    const picture = makePicture(finding.picture, "The frame that the image looks like");
    if (picture) item.append(picture, make("div", "caption", "The frame to compare it with"));
  }
  if (finding.fix) item.append(make("div", "fix", "Safe repair: " + finding.fix));
  return item;
}

function makeCard(card) {
  const article = make("article", "card");
  const top = make("div", "top");
  top.append(make("code", "", card.id), make("span", "chip", card.task));
  if (card.granularity) top.append(make("span", "chip", card.granularity));
  if (card.location) top.append(make("span", "", "evidence at " + card.location));
  article.append(top, make("h3", "", card.question));
  const strip = makeStrip(card);
  if (strip) article.append(strip);
  const images = make("div", "images");
  for (const image of card.images) {
    const picture = makePicture(image.picture, "Query image");
    if (!picture) continue;
    const figure = make("figure");
    figure.append(picture, make("figcaption", "", image.name));
    images.append(figure);
  }
  const body = make("div", images.children.length ? "body" : "body plain");
  body.append(makeOptions(card));
  if (images.children.length) body.append(images);
  article.append(body);
  const findings = make("ul", "findings");
  for (const finding of card.findings) findings.append(makeFinding(finding));
  for (const note of card.notes) findings.append(make("li", "", note));
  article.append(findings);
  return article;
}

function makeBatch() {
  const batch = document.createDocumentFragment();
  for (const card of shown.slice(made, made + BATCH)) batch.append(makeCard(card));
  made = Math.min(shown.length, made + BATCH);
  cards.append(batch);
}

function fillScreen() {
  while (made < shown.length && more.getBoundingClientRect().top < innerHeight + 800) makeBatch();
}

function applyFilters() {
  const severities = new Set(severityFilters.filter((box) => box.checked).map((box) => box.value));
  const wanted = searchFilter.value.trim().toLowerCase();
  shown = data.cards.filter((card) =>
    (!taskFilter.value || card.task === taskFilter.value) &&
    card.findings.some((finding) =>
      severities.has(finding.severity) && (!checkFilter.value || finding.check === checkFilter.value)) &&
    (!wanted || [card.id, card.question, ...card.options].some((text) => text.toLowerCase().includes(wanted))));
  cards.replaceChildren();
  made = 0;
  count.textContent = shown.length.toLocaleString("en") + " of " + data.cards.length.toLocaleString("en") + " questions";
  fillScreen();
}

// #check=reversed_range&task=Counting&severity=error,warning&search=word: a view that can be linked to
function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const [name, control] of [["check", checkFilter], ["task", taskFilter], ["search", searchFilter]]) {
    if (wanted.has(name)) control.value = wanted.get(name);
  }
  if (wanted.has("severity")) {
    const severities = wanted.get("severity").split(",");
    for (const box of severityFilters) box.checked = severities.includes(box.value);
  }
}

for (const control of [checkFilter, taskFilter, ...severityFilters]) control.addEventListener("change", applyFilters);
searchFilter.addEventListener("input", applyFilters);
for (const button of document.querySelectorAll("button[data-check]")) {
  button.addEventListener("click", () => {
    checkFilter.value = button.dataset.check;
    for (const box of severityFilters) box.checked = true;
    applyFilters();
    document.getElementById("questions").scrollIntoView();
  });
}
addEventListener("scroll", fillScreen, { passive: true });
addEventListener("resize", fillScreen);
addEventListener("hashchange", () => { readAddress(); applyFilters(); });
readAddress();
applyFilters();
