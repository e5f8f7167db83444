"use strict";
// The grid holds only the elements in view, so that 20,000 units cost no more than 200. A position counts the units
// as they are shown, a row is a unit's index in the data.

window.atlas = window.atlas || {};

(() => {
  // Of each size: the wanted width of a picture, the gap between pictures, the height of a caption.
  const SIZES = { small: [56, 6, 0], medium: [96, 14, 24], large: [164, 22, 24] };
  // Lines of pictures kept beyond the edges of the window, so that scrolling meets no empty space.
  const MARGIN = 3;

  const formatScore = (score) => {
    if (score === null) return "not finite";
    const size = Math.abs(score);
    const text = size >= 1000 && size < 1e6 ? score.toFixed(0) : String(Number(score.toPrecision(3)));
    return text.replace("-", "\u2212");
  };

  atlas.GridView = class {
    constructor(root, data) {
      this.root = root;
      this.data = data;
      this.rows = [];
      this.size = "medium";
      this.current = 0;
      this.items = new Map();
      this.unused = [];
      this.missing = new Set(data.missing);
      addEventListener("scroll", () => this.drawSoon(), { passive: true });
      new ResizeObserver(() => this.measure()).observe(root);
    }

    show(rows, size) {
      this.rows = rows;
      this.size = size;
      this.current = Math.min(this.current, Math.max(rows.length - 1, 0));
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
      const [cellWidth, cellHeight] = this.data.cell_size;
      this.height = Math.round((this.side * cellHeight) / cellWidth);
      this.columnStep = this.side + gap;
      this.lineStep = this.height + caption + gap;
      this.root.className = `grid ${this.size}`;
      this.root.style.height = `${Math.ceil(this.rows.length / this.columns) * this.lineStep}px`;
      for (const position of [...this.items.keys()]) this.remove(position);
      this.draw();
    }

    drawSoon() {
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.draw();
      });
    }

    draw() {
      const top = -this.root.getBoundingClientRect().top;
      const first = (Math.floor(top / this.lineStep) - MARGIN) * this.columns;
      const last = (Math.ceil((top + innerHeight) / this.lineStep) + MARGIN) * this.columns;
      const [from, to] = [Math.max(first, 0), Math.min(last, this.rows.length)];
      for (const position of [...this.items.keys()]) if (position < from || position >= to) this.remove(position);
      for (let position = from; position < to; position += 1) if (!this.items.has(position)) this.add(position);
    }

    remove(position) {
      const item = this.items.get(position);
      this.items.delete(position);
      item.remove();
      this.unused.push(item);
    }

    add(position) {
      const item = this.unused.pop() || this.create();
      const row = this.rows[position];
      const { data } = this;
      const unit = data.units[row];
      const label = data.labels?.[row] || "";
      const faults = (data.faults[row] || []).map((index) => data.fault_names[index]);
      const flagged = data.trusted?.[row] === false;
      const link = item.firstChild;
      const score = formatScore(data.scores[row]);
      const [x, y] = [(position % this.columns) * this.columnStep, Math.floor(position / this.columns) * this.lineStep];
      item.style.width = `${this.side}px`;
      item.style.transform = `translate(${x}px, ${y}px)`;
      item.setAttribute("aria-posinset", position + 1);
      item.setAttribute("aria-setsize", this.rows.length);
      link.href = `${data.folder}${unit}/index.html`;
      link.tabIndex = position === this.current ? 0 : -1;
      link.dataset.position = position;
      const parts = [`Unit ${unit}`, label, `score ${score}`, ...faults, flagged ? "flagged" : ""];
      link.title = parts.filter(Boolean).join(", ");
      link.setAttribute("aria-label", link.title);
      link.classList.toggle("faulty", faults.length > 0);
      link.classList.toggle("flagged", flagged);
      const [numberPart, labelPart, scorePart] = link.lastChild.children;
      numberPart.textContent = unit;
      labelPart.textContent = label;
      scorePart.textContent = faults.length ? faults.join(", ") : score;
      link.firstChild.replaceWith(this.picture(row, unit));
      this.root.append(item);
      this.items.set(position, item);
    }

    create() {
      const item = document.createElement("div");
      item.setAttribute("role", "listitem");
      const link = document.createElement("a");
      const caption = document.createElement("span");
      caption.className = "caption";
      for (const name of ["number", "label", "score"]) {
        const part = document.createElement("span");
        part.className = name;
        caption.append(part);
      }
      link.append(document.createElement("span"), caption);
      item.append(link);
      return item;
    }

    // The unit's picture in full size where pictures are shown large, otherwise its cell of a sprite sheet.
    picture(row, unit) {
      const { data } = this;
      const fullSize = this.size === "large" && data.full_size;
      const node = document.createElement(fullSize ? "img" : "span");
      node.className = "picture";
      node.style.height = `${this.height}px`;
      if (fullSize) {
        node.alt = "";
        node.decoding = "async";
        node.src = `${data.folder}${unit}/main.webp`;
      } else if (this.missing.has(unit)) {
        node.classList.add("missing");
      } else {
        const perSheet = data.columns * data.columns;
        const [sheet, cell] = [Math.floor(row / perSheet), row % perSheet];
        const [x, y] = [cell % data.columns, Math.floor(cell / data.columns)];
        node.style.backgroundImage = `url("${data.sheets[sheet]}")`;
        node.style.backgroundSize = `${data.columns * this.side}px auto`;
        node.style.backgroundPosition = `${-x * this.side}px ${-y * this.height}px`;
      }
      return node;
    }

    // Makes a position the current one: scrolls it into view and gives it the keyboard focus.
    select(position, { center = false } = {}) {
      if (!this.rows.length) return;
      const before = this.items.get(this.current);
      if (before) before.firstChild.tabIndex = -1;
      this.current = Math.min(Math.max(position, 0), this.rows.length - 1);
      const top = Math.floor(this.current / this.columns) * this.lineStep + this.root.getBoundingClientRect().top;
      const [above, below] = [top - atlas.controlsHeight() - 8, top + this.lineStep - innerHeight];
      if (center) scrollBy(0, top - (innerHeight - this.lineStep) / 2);
      else if (above < 0) scrollBy(0, above);
      else if (below > 0) scrollBy(0, below);
      this.draw();
      const link = this.items.get(this.current)?.firstChild;
      if (!link) return;
      link.tabIndex = 0;
      link.focus({ preventScroll: true });
    }
  };
})();
