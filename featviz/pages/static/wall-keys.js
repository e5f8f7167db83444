"use strict";
// The wall under the keyboard.

window.atlas = window.atlas || {};

atlas.listen = (view, search) => {
  const steps = () => ({
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -view.columns,
    ArrowDown: view.columns,
    Home: -view.places.length,
    End: view.places.length,
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const writing = event.target.matches("input, select");
    if (event.key === "Escape" && event.target === search) {
      event.preventDefault();
      if (search.value) {
        search.value = "";
        search.dispatchEvent(new Event("input", { bubbles: true }));
      } else view.go(view.current);
    } else if (event.target === search && (event.key === "Enter" || event.key === "ArrowDown")) {
      event.preventDefault();
      view.go(0);
    } else if (writing) {
      return;
    } else if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "u") {
      document.querySelector('.around a[rel="up"]')?.click();
    } else if (event.key in steps()) {
      event.preventDefault();
      // The first key only shows where one is.
      const started = document.activeElement?.dataset.at !== undefined;
      view.go(started ? view.current + steps()[event.key] : view.current);
    }
  });
};
