"use strict";
// The points of a layer's map: where each unit lies, in cells of a square, and which unit stands for a block of cells.

window.atlas = window.atlas || {};

(() => {
  // Points are stored in parts of a cell.
  const PARTS = 16;
  // Pictures are shown where they stand for at most so many units each.
  const UNITS_PER_PICTURE = 8;

  atlas.MapPoints = class {
    constructor({ side, x, y }) {
      this.side = side;
      this.count = x.length;
      this.x = Float32Array.from(x, (value) => value / PARTS);
      this.y = Float32Array.from(y, (value) => value / PARTS);
      this.levels = [];
    }

    // Blocks of 2^level x 2^level cells: the row of the unit that each shows, or -1; and how many blocks have one.
    level(level) {
      if (!this.levels[level]) {
        const width = Math.ceil(this.side / 2 ** level);
        const rows = new Int32Array(width * width).fill(-1);
        let occupied = 0;
        for (let row = 0; row < this.count; row += 1) {
          const block = Math.floor(this.y[row] / 2 ** level) * width + Math.floor(this.x[row] / 2 ** level);
          if (rows[block] < 0) {
            rows[block] = row;
            occupied += 1;
          }
        }
        this.levels[level] = { width, rows, occupied };
      }
      return this.levels[level];
    }

    // Whether a level's pictures are enough for its units to be recognized.
    hasPictures(level) {
      return this.count <= UNITS_PER_PICTURE * this.level(level).occupied;
    }

    // The row of the nearest point within a distance in cells, or -1.
    nearest(x, y, distance) {
      let [best, found] = [distance * distance, -1];
      for (let row = 0; row < this.count; row += 1) {
        const [across, along] = [this.x[row] - x, this.y[row] - y];
        const square = across * across + along * along;
        if (square < best) [best, found] = [square, row];
      }
      return found;
    }
  };
})();
