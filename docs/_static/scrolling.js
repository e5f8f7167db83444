// Code and tables that are wider than the page scroll by themselves: the keyboard reaches those that do, and only those.
const SCROLLED = "article pre, .table-wrapper";

function reach() {
  for (const element of document.querySelectorAll(SCROLLED)) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}

addEventListener("resize", reach);
addEventListener("load", reach);
