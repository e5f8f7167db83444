"use strict";
// A layer's page: shows the grid that its address describes, as `#sort=high&show=fault-dead&q=dog&unit=103`.

window.atlas = window.atlas || {};

(() => {
  const byId = (id) => document.getElementById(id);
  const FIELDS = { sort: "sort", show: "show", size: "size", q: "search" };

  // How much of the window the controls cover.
  atlas.controlsHeight = () => {
    const controls = byId("controls");
    return getComputedStyle(controls).position === "sticky" ? controls.offsetHeight : 0;
  };

  const fillSelect = (select, options) => {
    select.replaceChildren(
      ...options.map(([value, label]) => {
        const option = document.createElement("option");
        option.value = value;
        option.textContent = label;
        return option;
      }),
    );
  };

  // Called by the file of the data: a page opened from the disk may load scripts, but no JSON.
  atlas.showGrid = (data) => {
    atlas.gridData = data;
    const view = new atlas.GridView(byId("grid"), data);
    const filters = atlas.filtersOf(data);
    const defaults = { sort: "unit", show: "all", size: data.units.length > 150 ? "medium" : "large", q: "" };
    const nothing = document.createElement("p");
    nothing.className = "none";
    nothing.textContent = data.units.length ? "No matching units." : "No unit has been rendered yet.";

    fillSelect(byId("show"), filters.map(([value, label, passes]) => {
      const count = data.units.reduce((sum, _, row) => sum + passes(row), 0);
      return [value, `${label} (${count.toLocaleString("en")})`];
    }));
    if (filters.length === 1) byId("show").hidden = true;
    if (!data.labels) byId("sort").querySelector('[value="label"]').remove();

    const show = () => {
      const filter = filters.find(([value]) => value === byId("show").value)[2];
      const rows = atlas.arrange(data, { sort: byId("sort").value, query: byId("search").value, filter });
      view.show(rows, byId("size").value);
      atlas.shownRows = rows;
      atlas.markOnMap?.(rows);
      const total = data.units.length.toLocaleString("en");
      byId("count").value = rows.length === data.units.length ? "" : `${rows.length.toLocaleString("en")} of ${total}`;
      if (rows.length) nothing.remove();
      else byId("grid").after(nothing);
    };

    const writeAddress = () => {
      const state = new URLSearchParams();
      for (const [name, id] of Object.entries(FIELDS)) {
        if (byId(id).value !== defaults[name]) state.set(name, byId(id).value);
      }
      const position = document.activeElement?.dataset.position;
      if (position !== undefined) state.set("unit", data.units[view.rows[position]]);
      if (location.hash.slice(1) !== String(state)) history.replaceState(null, "", `#${state}`);
    };

    const readAddress = () => {
      const state = new URLSearchParams(location.hash.slice(1));
      for (const [name, id] of Object.entries(FIELDS)) {
        byId(id).value = state.get(name) ?? defaults[name];
        // A select has no value that it does not offer.
        if (byId(id).selectedIndex === -1) byId(id).value = defaults[name];
      }
      show();
      const position = view.rows.findIndex((row) => String(data.units[row]) === state.get("unit"));
      if (position >= 0) view.select(position, { center: true });
    };

    let timer = 0;
    const changed = () => {
      view.current = 0;
      show();
      const top = byId("grid").getBoundingClientRect().top - atlas.controlsHeight();
      if (top < 0) scrollBy(0, top - 24);
      writeAddress();
    };
    byId("controls").addEventListener("input", changed);
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    byId("grid").addEventListener("focusin", (event) => {
      const position = Number(event.target.dataset.position);
      if (position !== view.current) view.select(position);
      clearTimeout(timer);
      timer = setTimeout(writeAddress, 200);
    });
    addEventListener("hashchange", readAddress);
    atlas.addShortcuts(view, byId("search"));
    readAddress();
    document.documentElement.dataset.ready = data.units.length;
  };
})();
