"use strict";
// Hangs the wall as its address says: `#sort=high&show=fault-dead&q=dog&unit=103`.

window.atlas = window.atlas || {};

(() => {
  const byId = (id) => document.getElementById(id);
  const FIELDS = { sort: "sort", show: "show", size: "size", q: "search" };

  // How much of the window the controls cover.
  atlas.covered = () => {
    const controls = byId("controls");
    return getComputedStyle(controls).position === "sticky" ? controls.offsetHeight : 0;
  };

  const fill = (select, options) => {
    select.replaceChildren(
      ...options.map(([value, words]) => {
        const option = document.createElement("option");
        option.value = value;
        option.textContent = words;
        return option;
      }),
    );
  };

  // Called by the data's own file: a page from the disk may load scripts, and nothing else.
  atlas.hang = (data) => {
    const view = new atlas.View(byId("wall"), data);
    const kinds = atlas.kindsOf(data);
    const plain = { sort: "unit", show: "all", size: data.units.length > 150 ? "medium" : "large", q: "" };
    const nothing = document.createElement("p");
    nothing.className = "none";
    nothing.textContent = data.units.length ? "No unit here is like that." : "No unit has been drawn yet.";

    fill(byId("show"), kinds.map(([value, words, is]) => {
      const count = data.units.reduce((sum, _, at) => sum + is(at), 0);
      return [value, `${words} (${count.toLocaleString("en")})`];
    }));
    if (kinds.length === 1) byId("show").hidden = true;
    if (!data.labels) byId("sort").querySelector('[value="label"]').remove();

    const show = () => {
      const kind = kinds.find(([value]) => value === byId("show").value)[2];
      const places = atlas.arrange(data, { sort: byId("sort").value, sought: byId("search").value, kind });
      view.show(places, byId("size").value);
      const all = data.units.length.toLocaleString("en");
      byId("count").value = places.length === data.units.length ? "" : `${places.length.toLocaleString("en")} of ${all}`;
      if (places.length) nothing.remove();
      else byId("wall").after(nothing);
    };

    const write = () => {
      const said = new URLSearchParams();
      for (const [name, id] of Object.entries(FIELDS)) {
        if (byId(id).value !== plain[name]) said.set(name, byId(id).value);
      }
      const at = document.activeElement?.dataset.at;
      if (at !== undefined) said.set("unit", data.units[view.places[at]]);
      if (location.hash.slice(1) !== String(said)) history.replaceState(null, "", `#${said}`);
    };

    const read = () => {
      const said = new URLSearchParams(location.hash.slice(1));
      for (const [name, id] of Object.entries(FIELDS)) {
        byId(id).value = said.get(name) ?? plain[name];
        // A select takes no value that it does not offer.
        if (byId(id).selectedIndex === -1) byId(id).value = plain[name];
      }
      show();
      const at = view.places.findIndex((place) => String(data.units[place]) === said.get("unit"));
      if (at >= 0) view.go(at, { center: true });
    };

    let later = 0;
    const changed = () => {
      view.current = 0;
      show();
      const top = byId("wall").getBoundingClientRect().top - atlas.covered();
      if (top < 0) scrollBy(0, top - 24);
      write();
    };
    byId("controls").addEventListener("input", changed);
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    byId("wall").addEventListener("focusin", (event) => {
      const at = Number(event.target.dataset.at);
      if (at !== view.current) view.go(at);
      clearTimeout(later);
      later = setTimeout(write, 200);
    });
    addEventListener("hashchange", read);
    atlas.listen(view, byId("search"));
    read();
    document.documentElement.dataset.hung = data.units.length;
  };
})();
