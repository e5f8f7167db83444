"use strict";
// A layer's map: dragging, wheel, pinching, keys and buttons; the unit under the pointer is named, a click opens it.

window.atlas = window.atlas || {};

(() => {
  const [STEP, ZOOM, CLICK] = [90, 1.5, 4];

  // Called by the file of the map's data, after that of the grid's.
  atlas.showMap = (map) => {
    const canvas = document.getElementById("map");
    const named = document.getElementById("map-unit");
    const data = atlas.gridData;
    if (!canvas || !data) return;
    const view = new atlas.MapView(canvas, map);
    atlas.mapView = view;
    const pointers = new Map();
    let [moved, keyed] = [0, false];

    const href = (row) => `${data.folder}${data.units[row]}/index.html`;

    const nameOf = (row) => {
      const unit = data.units[row];
      const faults = (data.faults[row] || []).map((index) => data.fault_names[index]);
      return [`Unit ${unit}`, data.labels?.[row], ...faults].filter(Boolean).join(", ");
    };

    const showName = () => {
      const row = view.current;
      named.hidden = row < 0;
      if (row < 0) return;
      const [left, top, width, height] = view.place(row);
      named.lastElementChild.textContent = nameOf(row);
      const picture = named.firstElementChild;
      const slot = map.slots[row];
      picture.hidden = slot < 0;
      if (slot >= 0) {
        const perSheet = map.columns * map.columns;
        const [sheet, cell] = [Math.floor(slot / perSheet), slot % perSheet];
        const [cellWidth, cellHeight] = map.cell_size;
        picture.style.width = `${cellWidth * 1.5}px`;
        picture.style.height = `${cellHeight * 1.5}px`;
        picture.style.backgroundImage = `url("${map.sheets[sheet]}")`;
        picture.style.backgroundSize = `${map.columns * cellWidth * 1.5}px auto`;
        const [x, y] = [cell % map.columns, Math.floor(cell / map.columns)];
        picture.style.backgroundPosition = `${-x * cellWidth * 1.5}px ${-y * cellHeight * 1.5}px`;
      }
      // Beside the unit, on the side where there is room.
      const [right, below] = [left + width > view.width / 2, top + height > view.height / 2];
      named.style.left = right ? "" : `${left + width + 12}px`;
      named.style.right = right ? `${view.width - left + 12}px` : "";
      named.style.top = below ? "" : `${Math.max(top, 0)}px`;
      named.style.bottom = below ? `${Math.max(view.height - top - height, 0)}px` : "";
    };

    const select = (row) => {
      if (row === view.current) return;
      view.current = row;
      canvas.style.cursor = row < 0 ? "" : "pointer";
      view.drawSoon();
    };

    // By keys, the unit in the middle is the current one.
    const selectMiddle = () => {
      keyed = true;
      select(view.rowAt(view.width / 2, view.height / 2, Math.max(view.width, view.height)));
    };

    const findPlace = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };

    canvas.addEventListener("drawn", showName);
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, findPlace(event));
      if (pointers.size === 1) moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = findPlace(event);
      const before = pointers.get(event.pointerId);
      keyed = false;
      if (!before) {
        select(view.rowAt(x, y));
        return;
      }
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const [now, then] = [Math.hypot(x - other[0], y - other[1]), Math.hypot(before[0] - other[0], before[1] - other[1])];
        if (then > 0) view.zoomBy(now / then, (x + other[0]) / 2, (y + other[1]) / 2);
        moved += CLICK;
      } else {
        view.panBy(x - before[0], y - before[1]);
        moved += Math.hypot(x - before[0], y - before[1]);
        if (moved > CLICK) select(-1);
      }
      pointers.set(event.pointerId, [x, y]);
    });
    const released = (event) => {
      if (!pointers.delete(event.pointerId) || event.type !== "pointerup" || moved > CLICK) return;
      const row = view.rowAt(...findPlace(event));
      if (row >= 0) location.href = href(row);
    };
    canvas.addEventListener("pointerup", released);
    canvas.addEventListener("pointercancel", released);
    canvas.addEventListener("pointerleave", () => {
      if (!keyed) select(-1);
    });
    // The wheel scrolls the page unless the map has the focus, or Control is held, as pinching on a touchpad does.
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      view.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...findPlace(event));
    }, { passive: false });

    const actions = {
      ArrowLeft: () => view.panBy(STEP, 0),
      ArrowRight: () => view.panBy(-STEP, 0),
      ArrowUp: () => view.panBy(0, STEP),
      ArrowDown: () => view.panBy(0, -STEP),
      "+": () => view.zoomBy(ZOOM),
      "=": () => view.zoomBy(ZOOM),
      "-": () => view.zoomBy(1 / ZOOM),
      0: () => view.fit(),
    };
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" && view.current >= 0) location.href = href(view.current);
      else if (event.key === "Escape") canvas.blur();
      else if (event.key in actions) {
        actions[event.key]();
        selectMiddle();
      } else return;
      event.preventDefault();
      // The keys of the grid are others.
      event.stopPropagation();
    });
    canvas.addEventListener("blur", () => select(-1));
    for (const button of document.querySelectorAll("[data-map]")) {
      button.addEventListener("click", () => actions[button.dataset.map]());
    }
    // What the search and the filters leave is marked on the map.
    atlas.markOnMap = (rows) => {
      view.matched = null;
      if (rows.length < data.units.length) {
        view.matched = new Uint8Array(data.units.length);
        for (const row of rows) view.matched[row] = 1;
      }
      view.drawSoon();
    };
    atlas.markOnMap(atlas.shownRows);
    document.documentElement.dataset.mapped = map.x.length;
  };
})();
