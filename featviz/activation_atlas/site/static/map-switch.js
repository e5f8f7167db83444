"use strict";
// Maps on one layout: links from each to the others, which show the same place at the same zoom.

(() => {
  // Addresses are of files beside the page: of nothing else, whoever wrote the list.
  const address = (folder) => `${folder.split("/").map(encodeURIComponent).join("/")}/index.html`;
  const parse = (hash) => {
    const numbers = hash.replace(/^#/, "").split(",").map(Number);
    return numbers.length === 3 && numbers.every(Number.isFinite) && numbers[2] > 0 ? numbers : null;
  };

  activationAtlas.MapSwitch = class {
    constructor(root, maps, view) {
      this.view = view;
      this.links = [];
      view.shown = parse(location.hash);
      if (maps.length < 2) return;
      root.hidden = false;
      for (const map of maps) {
        const link = document.createElement("a");
        link.textContent = map.shown;
        link.dataset.address = address(map.folder);
        if (map.folder === ".") link.setAttribute("aria-current", "page");
        root.append(link);
        this.links.push(link);
      }
    }

    // After each change of the view.
    update() {
      const place = this.view.place().map((value) => value.toFixed(4)).join(",");
      for (const link of this.links) link.href = `${link.dataset.address}#${place}`;
    }
  };
})();
