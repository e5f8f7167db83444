"use strict";
// The canvas: where the map lies, which level is shown, and how a cell is drawn. Lengths of the map are in units of its
// side, lengths of the screen in pixels of the page.

window.activationAtlas = {};

(() => {
  // The smallest side of a square on the screen, as long as there is a coarser level.
  const SMALLEST = 34;
  // Squares fill their place where they have as many activations as an average square; none is smaller than this.
  const LEAST = 0.4;
  // Cells that are not lit.
  const DIM = 0.14;
  const LARGEST_ZOOM = 200;

  activationAtlas.MapView = class {
    constructor(canvas, data) {
      this.canvas = canvas;
      this.data = data;
      this.context = canvas.getContext("2d");
      this.current = null;
      this.lit = null;
      this.marks = null;
      // A place that is shown at first, in place of the whole map.
      this.shown = null;
      this.scale = 0;
      this.levels = data.levels.map((level) => {
        const image = new Image();
        image.onload = () => this.drawSoon();
        image.src = `levels/${level.side}.webp`;
        const bySquare = new Map(level.cells.map((cell, index) => [cell.at[1] * level.side + cell.at[0], index]));
        return { ...level, image, bySquare };
      });
      new ResizeObserver(() => this.measure()).observe(canvas);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.drawSoon());
    }

    measure() {
      const { width, height } = this.canvas.getBoundingClientRect();
      if (!width || !height) return;
      const whole = !this.scale || this.scale === this.fit;
      this.width = width;
      this.height = height;
      this.fit = Math.min(width, height) * 0.98;
      const ratio = devicePixelRatio || 1;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      if (this.shown) this.showPlace(...this.shown);
      else if (whole) this.showAll();
      else this.drawSoon();
      this.shown = null;
    }

    // The place of the map in the middle of the canvas, and how many times it is larger than the whole map.
    place() {
      return [(this.width / 2 - this.left) / this.scale, (this.height / 2 - this.top) / this.scale, this.scale / this.fit];
    }

    showPlace(x, y, zoom) {
      this.scale = this.fit * Math.min(Math.max(zoom, 0.5), LARGEST_ZOOM);
      this.left = this.width / 2 - x * this.scale;
      this.top = this.height / 2 - y * this.scale;
      this.drawSoon();
    }

    showAll() {
      this.scale = this.fit;
      this.left = (this.width - this.scale) / 2;
      this.top = (this.height - this.scale) / 2;
      this.drawSoon();
    }

    get levelIndex() {
      let index = 0;
      while (index + 1 < this.levels.length && this.scale / this.levels[index + 1].side >= SMALLEST) index += 1;
      return index;
    }

    get level() {
      return this.levels[this.levelIndex];
    }

    zoom(factor, x = this.width / 2, y = this.height / 2) {
      const scale = Math.min(Math.max(this.scale * factor, this.fit * 0.5), this.fit * LARGEST_ZOOM);
      this.left = x - ((x - this.left) * scale) / this.scale;
      this.top = y - ((y - this.top) * scale) / this.scale;
      this.scale = scale;
      this.drawSoon();
    }

    pan(dx, dy) {
      this.left += dx;
      this.top += dy;
      this.drawSoon();
    }

    // The index of the cell at a place of the canvas, or null.
    at(x, y) {
      const { side, bySquare } = this.level;
      const column = Math.floor(((x - this.left) / this.scale) * side);
      const row = Math.floor(((y - this.top) / this.scale) * side);
      if (column < 0 || row < 0 || column >= side || row >= side) return null;
      return bySquare.get(row * side + column) ?? null;
    }

    center(index) {
      const { side, cells } = this.level;
      const [column, row] = cells[index].at;
      const step = this.scale / side;
      return [this.left + (column + 0.5) * step, this.top + (row + 0.5) * step];
    }

    // Moves the map as little as brings a cell into view.
    reveal(index) {
      const [x, y] = this.center(index);
      const margin = Math.min(this.scale / this.level.side, this.width / 4, this.height / 4);
      const inside = (value, length) => Math.min(Math.max(value, margin), length - margin) - value;
      this.pan(inside(x, this.width), inside(y, this.height));
    }

    // The nearest cell in a direction, or null.
    next(index, [dx, dy]) {
      const { cells } = this.level;
      const [column, row] = cells[index].at;
      let best = null;
      let least = Infinity;
      cells.forEach((cell, other) => {
        const [x, y] = [cell.at[0] - column, cell.at[1] - row];
        const [along, across] = [x * dx + y * dy, Math.abs(x * dy) + Math.abs(y * dx)];
        if (along <= 0 || across > along * 2) return;
        const distance = along + 2 * across;
        if (distance < least) [best, least] = [other, distance];
      });
      return best;
    }

    drawSoon() {
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        if (this.scale) this.draw();
      });
    }

    // Points of a photograph, with a rim that is seen on any picture.
    drawMarks(style) {
      const { context } = this;
      context.lineWidth = 1.5;
      context.fillStyle = style.getPropertyValue("--accent");
      context.strokeStyle = style.getPropertyValue("--paper");
      for (const [x, y] of this.marks) {
        context.beginPath();
        context.arc(this.left + x * this.scale, this.top + y * this.scale, 4, 0, 2 * Math.PI);
        context.fill();
        context.stroke();
      }
    }

    draw() {
      this.onDraw?.();
      const { context, level } = this;
      const ratio = devicePixelRatio || 1;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, this.width, this.height);
      context.imageSmoothingQuality = "high";
      const step = this.scale / level.side;
      const style = getComputedStyle(this.canvas);
      const lit = this.lit?.[this.levelIndex];
      level.cells.forEach((cell, index) => {
        const size = step * Math.max(LEAST, Math.min(1, Math.sqrt(cell.count / level.mean))) - Math.min(1, step / 20);
        const [x, y] = [this.left + (cell.at[0] + 0.5) * step - size / 2, this.top + (cell.at[1] + 0.5) * step - size / 2];
        if (x > this.width || y > this.height || x + size < 0 || y + size < 0) return;
        context.globalAlpha = lit ? Math.max(DIM, lit[index]) : 1;
        const side = level.cell;
        if (level.image.complete && level.image.naturalWidth) {
          context.drawImage(level.image, cell.at[0] * side, cell.at[1] * side, side, side, x, y, size, size);
        } else {
          context.fillStyle = style.getPropertyValue("--line");
          context.fillRect(x, y, size, size);
        }
        context.globalAlpha = 1;
        if (index !== this.current) return;
        context.lineWidth = 3;
        context.strokeStyle = style.getPropertyValue("--accent");
        context.strokeRect(x, y, size, size);
      });
      if (this.marks) this.drawMarks(style);
    }
  };
})();
