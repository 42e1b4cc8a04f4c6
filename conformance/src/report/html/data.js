// The results, and what makes elements of them. Texts only ever become text nodes.
const data = JSON.parse(document.getElementById("data").textContent);
const names = data.implementations.map(([name]) => name);
const NEW = data.verdicts.length + 1;
const MARKS = {
  pass: "✓", fail: "✗", "false-claim": "‡", unsupported: "○", errored: "!", skipped: "–", xfail: "~", xpass: "?", recorded: "•",
};

const byId = (id) => document.getElementById(id);

/** An element with a class, and texts or elements in it. */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** A case as the document has it, with names for its places. */
const cases = data.cases.map(([name, why, role, word, results]) => ({
  name,
  why,
  role,
  word: word || name,
  results: results.map((result) => {
    if (!result) return null;
    const [verdict = 0, time = 0, reason = 0, values = 0, earlier = 0] = result;
    return {
      verdict: data.verdicts[verdict],
      time,
      reason: reason ? data.reasons[reason - 1] : "",
      values: values ? data.values[values - 1] : [],
      earlier: data.verdicts[earlier - 1] || "",
      change: !earlier ? "" : earlier === NEW ? "new" : verdict > earlier - 1 ? "worse" : "better",
    };
  }),
}));

/** The rows of the matrix that are clauses, with the row below each that opens. */
const rows = [...document.querySelectorAll("tr.clause")].map((row) => ({
  row,
  panel: row.nextElementSibling,
  details: row.querySelector("details"),
  chapter: row.parentElement.dataset.chapter,
  cases: data.clauses[row.dataset.at].map((index) => cases[index]),
}));
const rowOf = new Map(rows.map((row) => [row.row, row]));
