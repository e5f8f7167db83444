"use strict";
// Which units hang on the wall, and in which order: places of units in the data, nothing of the page.

window.atlas = window.atlas || {};

(() => {
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  // What can be shown alone: [value, words, whether the unit at a place is one].
  atlas.kindsOf = (data) => {
    const kinds = [["all", "all units", () => true]];
    if (data.kinds.length) kinds.push(["sound", "without faults", (at) => !data.faults[at]]);
    data.kinds.forEach((kind, number) => {
      kinds.push([`fault-${kind}`, kind, (at) => Boolean(data.faults[at]?.includes(number))]);
    });
    if (data.outcomes.includes("out of steps")) {
      kinds.push(["rising", "not converged", (at) => data.outcomes[at] === "out of steps"]);
    }
    if (data.trusted) {
      kinds.push(["trusted", "borne out by photographs", (at) => data.trusted[at] === true]);
      kinds.push(["doubt", "in doubt", (at) => data.trusted[at] === false]);
    }
    return kinds;
  };

  // Beginnings of numbers, and any part of a label.
  atlas.finder = (data, sought) => {
    const wanted = sought.trim().toLowerCase();
    if (!wanted) return () => true;
    return (at) =>
      String(data.units[at]).startsWith(wanted) || Boolean(data.labels?.[at].toLowerCase().includes(wanted));
  };

  const byScore = (data, sign) => (a, b) => {
    const [left, right] = [data.scores[a], data.scores[b]];
    // What has no score comes last, whichever way.
    if (left === null || right === null) return (left === null) - (right === null) || a - b;
    return sign * (left - right) || a - b;
  };

  const byLabel = (data) => (a, b) => {
    const [left, right] = [data.labels[a], data.labels[b]];
    return (left === "") - (right === "") || collator.compare(left, right) || a - b;
  };

  atlas.arrange = (data, { sort, sought, kind }) => {
    const found = atlas.finder(data, sought);
    const places = [];
    for (let at = 0; at < data.units.length; at += 1) if (kind(at) && found(at)) places.push(at);
    if (sort === "high") places.sort(byScore(data, -1));
    else if (sort === "low") places.sort(byScore(data, 1));
    else if (sort === "label" && data.labels) places.sort(byLabel(data));
    return places;
  };
})();
