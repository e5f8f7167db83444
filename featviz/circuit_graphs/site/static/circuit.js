"use strict";
// A circuit: lines weaker than the slider says go away, and a unit that is pointed at shows its own lines.

const graph = document.querySelector(".graph");
const slider = document.getElementById("strength");
const confirmed = document.getElementById("confirmed");
const lines = [...graph.querySelectorAll(".edge")];
const maps = [...graph.querySelectorAll(".map")];
const items = [...document.querySelectorAll(".multiples li")];

const filter = () => {
  const least = Number(slider.value);
  const only = Boolean(confirmed && confirmed.checked);
  const isAway = (element, verdict) => Number(element.dataset.strength) < least || (only && verdict !== "confirmed");
  for (const line of lines) line.classList.toggle("away", isAway(line, line.classList.contains("confirmed") ? "confirmed" : ""));
  for (const element of [...maps, ...items]) element.classList.toggle("away", isAway(element, element.dataset.verdict));
  const left = lines.filter((line) => !line.classList.contains("away")).length;
  document.getElementById("least").textContent = least.toFixed(2);
  document.getElementById("shown").textContent = `${left} of ${lines.length} lines`;
};
slider.addEventListener("input", filter);
if (confirmed) confirmed.addEventListener("change", filter);
document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
filter();

const mark = (unit) => {
  graph.classList.toggle("marked", unit !== null);
  for (const element of [...lines, ...maps]) {
    element.classList.toggle("near", element.dataset.source === unit || element.dataset.target === unit);
  }
};
for (const node of graph.querySelectorAll(".node")) {
  node.addEventListener("pointerenter", () => mark(node.dataset.unit));
  node.addEventListener("pointerleave", () => mark(null));
  node.addEventListener("focus", () => mark(node.dataset.unit));
  node.addEventListener("blur", () => mark(null));
}
