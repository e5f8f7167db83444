"use strict";
// A unit's page: keys that lead to its neighbors and its layer, and a button that copies its command.

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
  // Arrows change a switch.
  if (event.target.matches("input")) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next", u: "up" }[event.key];
  const link = rel && document.querySelector(`.around a[rel="${rel}"]`);
  if (link) location.href = link.href;
});

const command = document.getElementById("command");
if (command && navigator.clipboard) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Could not copy";
    }
  });
  command.parentElement.after(button);
}
