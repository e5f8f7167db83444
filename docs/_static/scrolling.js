// What is wider than the page (code, tables, a notebook's output) scrolls by itself, and the keyboard reaches just that.
const SCROLLED = "article pre, .table-wrapper, .cell_output .output";

function reach() {
  for (const element of document.querySelectorAll(SCROLLED)) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}

addEventListener("resize", reach);
addEventListener("load", reach);
