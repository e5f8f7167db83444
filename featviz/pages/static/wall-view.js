"use strict";
// Hangs the pictures that are in sight, and takes down those that are not: 20,000 cost no more than 200.

window.atlas = window.atlas || {};

(() => {
  const SIZES = { small: [56, 6, 0], medium: [96, 14, 24], large: [164, 22, 24] };
  // Rows hung beyond the edges of the window, so that scrolling meets no empty wall.
  const BEYOND = 3;

  const words = (score) => {
    if (score === null) return "not finite";
    const size = Math.abs(score);
    const text = size >= 1000 && size < 1e6 ? score.toFixed(0) : String(Number(score.toPrecision(3)));
    return text.replace("-", "\u2212");
  };

  atlas.View = class {
    constructor(root, data) {
      this.root = root;
      this.data = data;
      this.places = [];
      this.size = "medium";
      this.current = 0;
      this.hung = new Map();
      this.spare = [];
      this.missing = new Set(data.missing);
      addEventListener("scroll", () => this.soon(), { passive: true });
      new ResizeObserver(() => this.measure()).observe(root);
    }

    show(places, size) {
      this.places = places;
      this.size = size;
      this.current = Math.min(this.current, Math.max(places.length - 1, 0));
      this.width = 0;
      this.measure();
    }

    measure() {
      const width = this.root.clientWidth;
      if (!width || width === this.width) return;
      this.width = width;
      const [wanted, gap, caption] = SIZES[this.size];
      this.columns = Math.max(1, Math.floor((width + gap) / (wanted + gap)));
      this.side = Math.floor((width - gap * (this.columns - 1)) / this.columns);
      const [wide, tall] = this.data.cell;
      this.tall = Math.round((this.side * tall) / wide);
      this.right = this.side + gap;
      this.down = this.tall + caption + gap;
      this.root.className = `wall ${this.size}`;
      this.root.style.height = `${Math.ceil(this.places.length / this.columns) * this.down}px`;
      for (const at of [...this.hung.keys()]) this.take(at);
      this.draw();
    }

    soon() {
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.draw();
      });
    }

    draw() {
      const top = -this.root.getBoundingClientRect().top;
      const first = (Math.floor(top / this.down) - BEYOND) * this.columns;
      const last = (Math.ceil((top + innerHeight) / this.down) + BEYOND) * this.columns;
      const [from, to] = [Math.max(first, 0), Math.min(last, this.places.length)];
      for (const at of [...this.hung.keys()]) if (at < from || at >= to) this.take(at);
      for (let at = from; at < to; at += 1) if (!this.hung.has(at)) this.hang(at);
    }

    take(at) {
      const item = this.hung.get(at);
      this.hung.delete(at);
      item.remove();
      this.spare.push(item);
    }

    hang(at) {
      const item = this.spare.pop() || this.make();
      const place = this.places[at];
      const { data } = this;
      const unit = data.units[place];
      const label = data.labels?.[place] || "";
      const faults = (data.faults[place] || []).map((number) => data.kinds[number]);
      const doubt = data.trusted?.[place] === false;
      const link = item.firstChild;
      const score = words(data.scores[place]);
      item.style.width = `${this.side}px`;
      item.style.transform = `translate(${(at % this.columns) * this.right}px, ${Math.floor(at / this.columns) * this.down}px)`;
      item.setAttribute("aria-posinset", at + 1);
      item.setAttribute("aria-setsize", this.places.length);
      link.href = `${data.folder}${unit}/index.html`;
      link.tabIndex = at === this.current ? 0 : -1;
      link.dataset.at = at;
      const said = [`Unit ${unit}`, label, `score ${score}`, ...faults, doubt ? "in doubt" : ""].filter(Boolean).join(", ");
      link.setAttribute("aria-label", said);
      link.title = said;
      link.classList.toggle("faulty", faults.length > 0);
      link.classList.toggle("doubt", doubt);
      const [number, called, value] = link.lastChild.children;
      number.textContent = unit;
      called.textContent = label;
      value.textContent = faults.length ? faults.join(", ") : score;
      link.firstChild.replaceWith(this.picture(place, unit));
      this.root.append(item);
      this.hung.set(at, item);
    }

    make() {
      const item = document.createElement("div");
      item.setAttribute("role", "listitem");
      const link = document.createElement("a");
      const caption = document.createElement("span");
      caption.className = "caption";
      for (const name of ["number", "called", "score"]) {
        const part = document.createElement("span");
        part.className = name;
        caption.append(part);
      }
      link.append(document.createElement("span"), caption);
      item.append(link);
      return item;
    }

    // The unit's own picture where it is shown large, else its place on a sheet.
    picture(place, unit) {
      const { data } = this;
      const whole = this.size === "large" && data.whole;
      const node = document.createElement(whole ? "img" : "span");
      node.className = "picture";
      node.style.height = `${this.tall}px`;
      if (whole) {
        node.alt = "";
        node.decoding = "async";
        node.src = `${data.folder}${unit}/main.webp`;
      } else if (this.missing.has(unit)) {
        node.classList.add("missing");
      } else {
        const perSheet = data.columns * data.columns;
        const [number, cell] = [Math.floor(place / perSheet), place % perSheet];
        const [x, y] = [cell % data.columns, Math.floor(cell / data.columns)];
        node.style.backgroundImage = `url("${data.sheets[number]}")`;
        node.style.backgroundSize = `${data.columns * this.side}px auto`;
        node.style.backgroundPosition = `${-x * this.side}px ${-y * this.tall}px`;
      }
      return node;
    }

    // Makes a place the current one: in sight, and under the keyboard.
    go(at, { focus = true, center = false } = {}) {
      if (!this.places.length) return;
      const before = this.hung.get(this.current);
      if (before) before.firstChild.tabIndex = -1;
      this.current = Math.min(Math.max(at, 0), this.places.length - 1);
      const top = Math.floor(this.current / this.columns) * this.down;
      const edge = this.root.getBoundingClientRect().top;
      const covered = atlas.covered();
      const [above, below] = [top + edge - covered - 8, top + edge + this.down - innerHeight];
      if (center) scrollBy(0, top + edge - (innerHeight - this.down) / 2);
      else if (above < 0) scrollBy(0, above);
      else if (below > 0) scrollBy(0, below);
      this.draw();
      const link = this.hung.get(this.current)?.firstChild;
      if (!link) return;
      link.tabIndex = 0;
      if (focus) link.focus({ preventScroll: true });
    }
  };
})();
