// The units of a place: shown where the pointer or the keyboard is.
"use strict";

for (const grid of document.querySelectorAll(".places")) {
  const panel = grid.closest(".views").querySelector(".seen");
  const buttons = new Map([...grid.querySelectorAll("button")].map((button) => [button.dataset.at, button]));
  let current = null;

  const files = new Map(grid.dataset.files.split(" ").map((pair) => pair.split(":")));

  const draw = (unit) => {
    if (!files.has(unit)) {
      const none = document.createElement("span");
      none.className = "none";
      none.textContent = "not drawn";
      return none;
    }
    const image = new Image();
    image.alt = `what unit ${unit} of ${grid.dataset.layer} looks for`;
    image.src = files.get(unit);
    return image;
  };

  const describe = (unit, strength) => {
    const item = document.createElement("li");
    const caption = document.createElement("span");
    caption.textContent = `${unit} `;
    const value = document.createElement("span");
    value.className = "quiet";
    value.textContent = strength;
    caption.append(value);
    item.append(draw(unit), caption);
    return item;
  };

  const show = (button) => {
    if (button === current) return;
    if (current) {
      current.removeAttribute("aria-pressed");
      current.tabIndex = -1;
    }
    current = button;
    button.setAttribute("aria-pressed", "true");
    button.tabIndex = 0;
    const heading = document.createElement("p");
    heading.className = "quiet";
    heading.textContent = `${grid.dataset.layer}, ${button.getAttribute("aria-label")}: the units that fire most, and how strongly`;
    const list = document.createElement("ol");
    for (const pair of button.dataset.units.split(" ")) list.append(describe(...pair.split(":")));
    panel.replaceChildren(heading, list);
  };

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  grid.addEventListener("pointerover", (event) => event.target.matches("button") && show(event.target));
  grid.addEventListener("focusin", (event) => event.target.matches("button") && show(event.target));
  grid.addEventListener("click", (event) => event.target.matches("button") && show(event.target));
  grid.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || !current) return;
    const [row, column] = current.dataset.at.split("-").map(Number);
    const next = buttons.get(`${row + step[0]}-${column + step[1]}`);
    event.preventDefault();
    if (next) next.focus();
  });
  show(buttons.get(grid.dataset.start));
}

// What lies below the places: the photo, the activation grid, or where a group is.
for (const choice of document.querySelectorAll(".switch")) {
  const map = choice.closest(".stage").querySelector(".map");
  const base = map.querySelector(".base");
  const cells = map.querySelector(".cells");
  const photo = base.src;
  choice.addEventListener("change", (event) => {
    const chosen = event.target.value;
    const group = document.getElementById(chosen);
    if (cells) cells.hidden = chosen !== "cells";
    base.style.visibility = chosen === "cells" ? "hidden" : "";
    base.src = group ? group.querySelector(".overlay").src : photo;
    map.classList.toggle("untinted", chosen !== "photo");
  });
}
