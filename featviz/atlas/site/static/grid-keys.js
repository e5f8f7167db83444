"use strict";
// The grid's keyboard shortcuts.

window.atlas = window.atlas || {};

atlas.addShortcuts = (view, search) => {
  const steps = () => ({
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -view.columns,
    ArrowDown: view.columns,
    Home: -view.rows.length,
    End: view.rows.length,
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const typing = event.target.matches("input, select");
    if (event.key === "Escape" && event.target === search) {
      event.preventDefault();
      if (search.value) {
        search.value = "";
        search.dispatchEvent(new Event("input", { bubbles: true }));
      } else view.select(view.current);
    } else if (event.target === search && (event.key === "Enter" || event.key === "ArrowDown")) {
      event.preventDefault();
      view.select(0);
    } else if (typing) {
      return;
    } else if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "u") {
      document.querySelector('.around a[rel="up"]')?.click();
    } else if (event.key in steps()) {
      event.preventDefault();
      // The first key only shows which unit is the current one.
      const started = document.activeElement?.dataset.position !== undefined;
      view.select(started ? view.current + steps()[event.key] : view.current);
    }
  });
};
