"use strict";
// Which units the grid shows and in which order: rows of the data, nothing of the page.

window.atlas = window.atlas || {};

(() => {
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  // The filters: [value, label, whether a row passes].
  atlas.filtersOf = (data) => {
    const filters = [["all", "all units", () => true]];
    if (data.fault_names.length) filters.push(["sound", "without faults", (row) => !data.faults[row]]);
    data.fault_names.forEach((fault, index) => {
      filters.push([`fault-${fault}`, fault, (row) => Boolean(data.faults[row]?.includes(index))]);
    });
    if (data.outcomes.includes("out of steps")) {
      filters.push(["rising", "not converged", (row) => data.outcomes[row] === "out of steps"]);
    }
    if (data.trusted) {
      filters.push(["trusted", "supported by photographs", (row) => data.trusted[row] === true]);
      filters.push(["flagged", "flagged", (row) => data.trusted[row] === false]);
    }
    return filters;
  };

  // A unit matches by the first digits of its number, and by any part of its label.
  atlas.matcher = (data, query) => {
    const wanted = query.trim().toLowerCase();
    if (!wanted) return () => true;
    return (row) =>
      String(data.units[row]).startsWith(wanted) || Boolean(data.labels?.[row].toLowerCase().includes(wanted));
  };

  const byScore = (data, sign) => (a, b) => {
    const [left, right] = [data.scores[a], data.scores[b]];
    // Units without a score come last in both directions.
    if (left === null || right === null) return (left === null) - (right === null) || a - b;
    return sign * (left - right) || a - b;
  };

  const byLabel = (data) => (a, b) => {
    const [left, right] = [data.labels[a], data.labels[b]];
    return (left === "") - (right === "") || collator.compare(left, right) || a - b;
  };

  atlas.arrange = (data, { sort, query, filter }) => {
    const matches = atlas.matcher(data, query);
    const rows = [];
    for (let row = 0; row < data.units.length; row += 1) if (filter(row) && matches(row)) rows.push(row);
    if (sort === "high") rows.sort(byScore(data, -1));
    else if (sort === "low") rows.sort(byScore(data, 1));
    else if (sort === "label" && data.labels) rows.sort(byLabel(data));
    return rows;
  };
})();
