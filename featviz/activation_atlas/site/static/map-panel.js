"use strict";
// What is said of a cell: its picture, classes, photographs and the cells like it.

(() => {
  const element = (name, className, text = "") => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.textContent = text;
    return made;
  };

  // A part of a sheet of `count` x `count` equal parts, as a square of any size.
  const sprite = (address, column, row, count, label) => {
    const made = element("span", "sprite");
    const place = (index) => (count > 1 ? `${(100 * index) / (count - 1)}%` : "0");
    made.style.backgroundImage = `url("${address}")`;
    made.style.backgroundSize = `${100 * count}% ${100 * count}%`;
    made.style.backgroundPosition = `${place(column)} ${place(row)}`;
    if (label) {
      made.setAttribute("role", "img");
      made.setAttribute("aria-label", label);
    }
    return made;
  };

  const plural = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

  activationAtlas.cellName = (data, level, index) => {
    const cell = level.cells[index];
    const classes = cell.classes.slice(0, 3).map(([number]) => data.classes[number]);
    return `Row ${cell.at[1] + 1}, column ${cell.at[0] + 1}${classes.length ? `: ${classes.join("; ")}` : ""}`;
  };

  activationAtlas.MapPanel = class {
    constructor(root, data, { onCell }) {
      this.root = root;
      this.data = data;
      this.onCell = onCell;
    }

    show(level, index) {
      const { data } = this;
      const cell = level.cells[index];
      const parts = [
        this.picture(level, index, "large", "what this cell looks for"),
        element("h2", "", `Row ${cell.at[1] + 1}, column ${cell.at[0] + 1} of ${level.side}`),
        element("p", "quiet", `${plural(cell.count, "activation")} of ${plural(cell.photos, "photo")}`),
      ];
      const classes = cell.classes.slice(0, 3);
      if (classes.length) {
        const list = element("ol", "classes");
        for (const [number, score] of classes) {
          const item = element("li", "", "");
          const bar = element("span", "bar");
          const fill = element("span");
          fill.style.width = `${(100 * score) / classes[0][1]}%`;
          bar.append(fill);
          item.append(element("span", "", data.classes[number]), element("span", "quiet", `+${score}`), bar);
          list.append(item);
        }
        parts.push(element("h3", "", "Speaks for"), list);
      }
      if (cell.shown.length) {
        const names = cell.shown.map((number) => data.photos[number]);
        parts.push(element("h3", "", "Photos"), this.photos(level, index, names), element("p", "quiet names", names.join(", ")));
      }
      if (cell.like.length) {
        const row = element("div", "row");
        for (const other of cell.like) {
          const button = element("button");
          button.type = "button";
          button.setAttribute("aria-label", activationAtlas.cellName(data, level, other));
          button.append(this.picture(level, other, "", ""));
          button.addEventListener("click", () => this.onCell(other));
          row.append(button);
        }
        parts.push(element("h3", "", "Most alike"), row);
      }
      this.root.replaceChildren(...parts);
    }

    picture(level, index, className, label) {
      const [column, row] = level.cells[index].at;
      const made = sprite(`levels/${level.side}.webp`, column, row, level.side, label);
      if (className) made.classList.add(className);
      return made;
    }

    photos(level, index, names) {
      const [blocks, block] = this.data.block;
      const [sheet, place] = [Math.floor(index / (blocks * blocks)), index % (blocks * blocks)];
      const row = element("div", "row");
      names.forEach((name, number) => {
        const x = (place % blocks) * block + (number % block);
        const y = Math.floor(place / blocks) * block + Math.floor(number / block);
        row.append(sprite(`photos/${level.side}-${sheet}.webp`, x, y, blocks * block, `a part of ${name}`));
      });
      return row;
    }
  };
})();
