"use strict";
// The map on its canvas. Points are written into an image of the canvas's size, which takes a few milliseconds for
// 32,000 of them; pictures are drawn on top, from sprite sheets that are fetched when they are first in view.

window.atlas = window.atlas || {};

(() => {
  // CSS pixels: the smallest picture, the largest cell, the space around the whole map.
  const [MIN_PICTURE, MAX_CELL, MARGIN] = [40, 96, 24];
  // Decoded sheets that are kept, a megabyte each.
  const MAX_SHEETS = 160;
  const FADED = 0.25;

  // How much of each pixel a disk covers, in 256ths, as offsets from its middle pixel.
  const diskOf = (radius) => {
    const reach = Math.ceil(radius);
    const disk = [];
    for (let y = -reach; y <= reach; y += 1) {
      for (let x = -reach; x <= reach; x += 1) {
        const covered = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y)));
        if (covered > 0) disk.push([x, y, Math.round(230 * covered)]);
      }
    }
    return { reach, disk };
  };

  atlas.MapView = class {
    constructor(canvas, map) {
      this.canvas = canvas;
      this.map = map;
      this.points = new atlas.MapPoints(map);
      this.context = canvas.getContext("2d");
      this.sheets = new Map();
      this.current = -1;
      this.matched = null;
      // Cells and CSS pixels: a cell's size, and the cell in the canvas's upper left corner.
      [this.scale, this.left, this.top] = [0, 0, 0];
      new ResizeObserver(() => this.measure()).observe(canvas);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.measure());
    }

    measure() {
      const { canvas } = this;
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      if (!width || !height) return;
      const middle = this.scale ? [this.left + this.width / 2 / this.scale, this.top + this.height / 2 / this.scale] : null;
      this.ratio = Math.min(devicePixelRatio || 1, 2);
      [this.width, this.height] = [width, height];
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
      this.image = new ImageData(canvas.width, canvas.height);
      this.pixels = new Uint32Array(this.image.data.buffer);
      const style = getComputedStyle(canvas);
      [this.ink, this.accent] = ["--ink", "--accent"].map((name) => style.getPropertyValue(name).trim());
      const fit = (Math.min(width, height) - 2 * MARGIN) / this.map.side;
      [this.minScale, this.maxScale] = [fit / 2, Math.max(MAX_CELL, fit)];
      if (middle) this.moveTo(middle[0] - width / 2 / this.scale, middle[1] - height / 2 / this.scale);
      else this.fit();
    }

    fit() {
      this.scale = 2 * this.minScale;
      const { side } = this.map;
      this.moveTo((side - this.width / this.scale) / 2, (side - this.height / this.scale) / 2);
    }

    // Moves the cell (left, top) into the corner; the middle of the canvas stays on the map.
    moveTo(left, top) {
      const [across, along] = [this.width / this.scale / 2, this.height / this.scale / 2];
      this.left = Math.min(Math.max(left, -across), this.map.side - across);
      this.top = Math.min(Math.max(top, -along), this.map.side - along);
      this.drawSoon();
    }

    panBy(x, y) {
      this.moveTo(this.left - x / this.scale, this.top - y / this.scale);
    }

    // Zooms by a factor; what is at (x, y) stays there.
    zoomBy(factor, x = this.width / 2, y = this.height / 2) {
      const [column, line] = [this.left + x / this.scale, this.top + y / this.scale];
      this.scale = Math.min(Math.max(this.scale * factor, this.minScale), this.maxScale);
      this.moveTo(column - x / this.scale, line - y / this.scale);
    }

    centerOn(row) {
      this.moveTo(this.points.x[row] - this.width / 2 / this.scale, this.points.y[row] - this.height / 2 / this.scale);
    }

    // The level whose blocks are at least as large as the smallest picture, or -1 where points alone are shown.
    pictureLevel() {
      const level = Math.max(0, Math.ceil(Math.log2(MIN_PICTURE / this.scale)));
      return this.map.sheets.length && 2 ** level < this.map.side && this.points.hasPictures(level) ? level : -1;
    }

    // Where a unit is shown: [left, top, width, height] of its picture or point.
    place(row) {
      const level = this.pictureLevel();
      if (level >= 0) {
        const { width, rows } = this.points.level(level);
        const [x, y] = [Math.floor(this.points.x[row] / 2 ** level), Math.floor(this.points.y[row] / 2 ** level)];
        if (rows[y * width + x] === row && this.map.slots[row] >= 0) return this.box(x, y, level);
      }
      return [(this.points.x[row] - this.left) * this.scale, (this.points.y[row] - this.top) * this.scale, 0, 0];
    }

    box(x, y, level) {
      const side = 2 ** level * this.scale;
      const [cellWidth, cellHeight] = this.map.cell_size;
      const fit = (0.94 * side) / Math.max(cellWidth, cellHeight);
      const [width, height] = [cellWidth * fit, cellHeight * fit];
      const [left, top] = [x * side - this.left * this.scale, y * side - this.top * this.scale];
      return [left + (side - width) / 2, top + (side - height) / 2, width, height];
    }

    // The unit whose picture or point is at (x, y), or -1.
    rowAt(x, y, reach = 12) {
      const [column, line] = [this.left + x / this.scale, this.top + y / this.scale];
      const level = this.pictureLevel();
      if (level >= 0) {
        const { width, rows } = this.points.level(level);
        const [across, along] = [Math.floor(column / 2 ** level), Math.floor(line / 2 ** level)];
        if (across >= 0 && along >= 0 && across < width && along < width) {
          const row = rows[along * width + across];
          if (row >= 0 && this.map.slots[row] >= 0) return row;
        }
      }
      return this.points.nearest(column, line, reach / this.scale);
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
      if (!this.image) return;
      this.drawPoints();
      const level = this.pictureLevel();
      if (level >= 0) this.drawPictures(level);
      if (this.current >= 0) this.drawCurrent();
      this.canvas.dispatchEvent(new Event("drawn"));
    }

    drawPoints() {
      const { pixels, points, matched } = this;
      this.context.fillStyle = this.ink;
      const ink = this.colorValue(this.ink);
      pixels.fill(ink);
      const radius = this.ratio * Math.min(Math.max(0.75 + Math.log2(this.scale / (2 * this.minScale)) * 0.35, 0.75), 3);
      if (!matched) this.stamp(diskOf(radius), ink, 1, () => true, points.count);
      else {
        this.stamp(diskOf(radius), ink, FADED, (row) => !matched[row], points.count);
        this.stamp(diskOf(radius + 0.75 * this.ratio), this.colorValue(this.accent), 1, (row) => matched[row], points.count);
      }
      this.context.putImageData(this.image, 0, 0);
    }

    // Writes a disk for each point. The alpha of what lies above each other adds up.
    stamp({ reach, disk }, color, opacity, passes, count) {
      const { width, height } = this.image;
      const { pixels } = this;
      const { x, y } = this.points;
      const scale = this.scale * this.ratio;
      // Whole pixels, so that the points do not shimmer as the map moves.
      const [left, top] = [Math.round(this.left * scale), Math.round(this.top * scale)];
      const offsets = Int32Array.from(disk, ([across, along]) => along * width + across);
      const covers = Int32Array.from(disk, ([, , covered]) => covered * opacity);
      const size = offsets.length;
      for (let row = 0; row < count; row += 1) {
        const px = Math.round(x[row] * scale) - left;
        const py = Math.round(y[row] * scale) - top;
        if (px < reach || py < reach || px >= width - reach || py >= height - reach || !passes(row)) continue;
        const start = py * width + px;
        for (let index = 0; index < size; index += 1) {
          const at = start + offsets[index];
          const alpha = pixels[at] >>> 24;
          pixels[at] = color | ((alpha + (((255 - alpha) * covers[index]) >> 8)) << 24);
        }
      }
    }

    // A color without alpha as a little-endian pixel has it.
    colorValue(color) {
      this.context.fillStyle = color;
      const [red, green, blue] = [1, 3, 5].map((start) => parseInt(this.context.fillStyle.slice(start, start + 2), 16));
      return (blue << 16) | (green << 8) | red;
    }

    drawPictures(level) {
      const { context, map, matched } = this;
      const { width, rows } = this.points.level(level);
      const side = 2 ** level;
      const [firstX, firstY] = [this.left, this.top].map((start) => Math.max(Math.floor(start / side), 0));
      const lastX = Math.min(Math.floor((this.left + this.width / this.scale) / side), width - 1);
      const lastY = Math.min(Math.floor((this.top + this.height / this.scale) / side), width - 1);
      const perSheet = map.columns * map.columns;
      const [cellWidth, cellHeight] = map.cell_size;
      context.imageSmoothingQuality = "medium";
      for (let y = firstY; y <= lastY; y += 1) {
        for (let x = firstX; x <= lastX; x += 1) {
          const row = rows[y * width + x];
          const slot = row < 0 ? -1 : map.slots[row];
          if (slot < 0) continue;
          const sheet = this.sheet(Math.floor(slot / perSheet));
          if (!sheet) continue;
          const cell = slot % perSheet;
          const source = [(cell % map.columns) * cellWidth, Math.floor(cell / map.columns) * cellHeight];
          const box = this.box(x, y, level).map((value) => Math.round(value * this.ratio));
          context.globalAlpha = matched && !matched[row] ? FADED : 1;
          context.drawImage(sheet, ...source, cellWidth, cellHeight, ...box);
        }
      }
      context.globalAlpha = 1;
    }

    // A decoded sheet, or null until it is there.
    sheet(index) {
      const known = this.sheets.get(index);
      if (known !== undefined) {
        // The latest used are last.
        this.sheets.delete(index);
        this.sheets.set(index, known);
        return known;
      }
      this.sheets.set(index, null);
      const image = new Image();
      image.src = this.map.sheets[index];
      image.decode().then(() => createImageBitmap(image)).then((bitmap) => {
        this.sheets.delete(index);
        this.sheets.set(index, bitmap);
        for (const [old, shown] of this.sheets) {
          if (this.sheets.size <= MAX_SHEETS) break;
          this.sheets.delete(old);
          shown?.close();
        }
        this.drawSoon();
      }, () => {});
      return null;
    }

    drawCurrent() {
      const { context, ratio } = this;
      const [left, top, width, height] = this.place(this.current).map((value) => value * ratio);
      context.strokeStyle = this.accent;
      context.lineWidth = 2 * ratio;
      context.beginPath();
      if (width) context.rect(left - ratio, top - ratio, width + 2 * ratio, height + 2 * ratio);
      else context.arc(left, top, 6 * ratio, 0, 2 * Math.PI);
      context.stroke();
    }
  };
})();
