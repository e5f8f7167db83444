"use strict";
// Pointer, keys, the search for a class and the list of cells; once the data is there.

addEventListener("DOMContentLoaded", () => {
  const data = window.activationMap;
  const canvas = document.getElementById("map");
  const status = document.getElementById("status");
  const search = document.getElementById("class");
  const list = document.getElementById("list");
  const view = new activationAtlas.MapView(canvas, data);
  const panel = new activationAtlas.MapPanel(document.getElementById("cell"), data, {
    onCell: (index) => select(index, { keep: true, reveal: true }),
  });
  const links = new activationAtlas.MapSwitch(document.getElementById("aligned"), window.alignedMaps ?? [], view);
  const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  let kept = false;
  let shownLevel = null;
  // What is said of the class that is searched for, at the level that is shown.
  let found = () => "";

  const select = (index, { keep = false, reveal = false } = {}) => {
    kept = keep && index !== null;
    view.current = index;
    if (index !== null) {
      panel.show(view.level, index);
      if (reveal) view.reveal(index);
    }
    view.drawSoon();
  };

  const describe = () => {
    const { side, cells } = view.level;
    status.textContent = [`${side} × ${side}, ${cells.length} cells`, found()].filter(Boolean).join(". ");
  };

  const fillList = () => {
    const items = view.level.cells.map((_, index) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = activationAtlas.cellName(data, view.level, index);
      button.addEventListener("click", () => select(index, { keep: true, reveal: true }));
      item.append(button);
      return item;
    });
    list.querySelector("ol").replaceChildren(...items);
  };

  view.onDraw = () => {
    links.update();
    if (shownLevel === view.levelIndex) return;
    // A cell of another level is another cell: the one at the same place, if there is one.
    if (view.current !== null && shownLevel !== null) {
      const { at } = view.levels[shownLevel].cells[view.current];
      const side = view.levels[shownLevel].side;
      const index = view.at(
        view.left + ((at[0] + 0.5) / side) * view.scale,
        view.top + ((at[1] + 0.5) / side) * view.scale,
      );
      shownLevel = view.levelIndex;
      select(index, { keep: kept });
    }
    shownLevel = view.levelIndex;
    describe();
    if (list.open) fillList();
  };
  list.addEventListener("toggle", () => list.open && fillList());

  // The class that is written, or all classes that have its letters.
  const light = () => {
    const text = search.value.trim();
    const letters = text.toLowerCase();
    const matches = (name) => name.toLowerCase().includes(letters);
    const exact = data.classes.some((name) => name.toLowerCase() === letters);
    const wanted = new Set(
      data.classes.flatMap((name, number) => ((exact ? name.toLowerCase() === letters : matches(name)) ? [number] : [])),
    );
    view.lit = null;
    found = () => "";
    if (text) {
      const strengths = view.levels.map(({ cells }) =>
        cells.map((cell) => Math.max(0, ...cell.classes.filter(([number]) => wanted.has(number)).map(([, score]) => score))),
      );
      view.lit = strengths.map((row) => {
        const most = Math.max(...row, 1e-12);
        return row.map((strength) => (strength > 0 ? 0.35 + (0.65 * strength) / most : 0));
      });
      const counts = strengths.map((row) => row.filter((strength) => strength > 0).length);
      const names = [...wanted].map((number) => data.classes[number]);
      const name = names.length === 1 ? names[0] : `${names.length} classes`;
      found = () => {
        const count = counts[view.levelIndex];
        return names.length ? `${name}: ${count} cell${count === 1 ? "" : "s"}` : `No cell speaks for “${text}”`;
      };
    }
    describe();
    view.drawSoon();
  };
  if (search) {
    const options = [...data.classes].sort().map((name) => {
      const option = document.createElement("option");
      option.value = name;
      return option;
    });
    document.getElementById("classes").append(...options);
    search.addEventListener("input", light);
  }

  const own = [...document.querySelectorAll("[data-own]")];
  for (const button of own) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      for (const each of own) each.setAttribute("aria-pressed", String(shown && each === button));
      view.marks = shown ? data.own[Number(button.dataset.own)] : null;
      view.drawSoon();
    });
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const pointers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    if (pointers.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (!kept) {
        const index = view.at(x, y);
        if (index !== null && index !== view.current) select(index);
      }
      return;
    }
    const [dx, dy] = [x - before[0], y - before[1]];
    moved += Math.abs(dx) + Math.abs(dy);
    if (pointers.size === 1) {
      if (moved > 4) canvas.classList.add("moving");
      view.pan(dx, dy);
    } else {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const apart = ([a, b]) => Math.max(Math.hypot(a - other[0], b - other[1]), 1);
      view.zoom(apart([x, y]) / apart(before), (x + other[0]) / 2, (y + other[1]) / 2);
      view.pan(dx / 2, dy / 2);
    }
    pointers.set(event.pointerId, [x, y]);
  });
  const release = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    canvas.classList.remove("moving");
    if (event.type === "pointerup" && moved <= 4) select(view.at(...place(event)), { keep: true });
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode ? 16 : 1);
      view.zoom(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 400), ...place(event));
    },
    { passive: false },
  );

  const middle = () => (view.current === null ? [] : view.center(view.current));
  const zoomIn = () => view.zoom(1.5, ...middle());
  const zoomOut = () => view.zoom(1 / 1.5, ...middle());
  document.getElementById("in").addEventListener("click", zoomIn);
  document.getElementById("out").addEventListener("click", zoomOut);
  document.getElementById("all").addEventListener("click", () => view.showAll());

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step) {
      const index = view.current === null ? view.at(view.width / 2, view.height / 2) ?? 0 : view.next(view.current, step);
      if (index !== null) select(index, { keep: true, reveal: true });
    } else if (event.key === "+" || event.key === "=") zoomIn();
    else if (event.key === "-") zoomOut();
    else if (event.key === "0") view.showAll();
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && search && event.target !== search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape") {
      select(null);
      if (search && search.value) {
        search.value = "";
        light();
      }
    }
  });
});
